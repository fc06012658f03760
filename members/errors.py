"""Refusals: a member or a rule says no. They roll the savepoint back and become copy text."""


class MemberError(Exception):
    """A refusal with a stable `code` (a key of handlers.copy) and the figures its text needs."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


class BooksBroken(Exception):
    """An invariant of the books does not hold; never shown to a member, always an incident."""
