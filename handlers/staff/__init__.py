"""What staff do in chat; for anyone else these words are ordinary text."""
