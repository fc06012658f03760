"""A row of a table of members, read and checked, on its way into the books; and what there is to say about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from members.importing.flaws import Flaws


@dataclass(frozen=True, slots=True)
class Opening:
    """What a member owned before: points and their end (None: as points given now), and 分 of both balances."""

    points: int = 0
    points_until: datetime | None = None
    principal: int = 0
    gift: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """One row as a member: `named` by kind of identity, the phone in E.164."""

    row: int
    cells: Mapping[str, Any]
    named: Mapping[str, str]
    opening: Opening
    tier: str = ""
    store: str = ""
    birthday: date | None = None
    joined: datetime | None = None
    tags: Sequence[str] = ()
    marketing: bool | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """Something to report about a row, told once its chunk is safe on disk."""

    treatment: str
    draft: Draft
    code: str
    reason: str

    def tell(self, flaws: Flaws) -> None:
        """Put it in the report."""
        if self.treatment == "rejected":
            flaws.reject(self.draft.row, self.code, self.reason, self.draft.cells)
        else:
            flaws.keep(self.draft.row, self.code, self.reason)
