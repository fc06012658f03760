"""How an import tells how far it is, without knowing who looks."""

from typing import Protocol


class Progress(Protocol):
    """Something that shows work done; a new `start` begins the next phase."""

    def start(self, total: int, label: str) -> None:
        """Begin a phase of `total` units, named in the reader's language."""

    def advance(self, amount: int = 1) -> None:
        """Tell that `amount` more units are done and safe on disk."""


class Silent:
    """Progress that nobody watches."""

    def start(self, total: int, label: str) -> None:
        """Ignore."""

    def advance(self, amount: int = 1) -> None:
        """Ignore."""
