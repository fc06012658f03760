"""The words of the REST part, which tills and shop systems use."""
