"""What an audit finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Breach:
    """One invariant that does not hold, on what, and what was found."""

    check: str
    subject: str
    found: str
