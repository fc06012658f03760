"""Shopping days of each member before a cut, the ground on which RFM, value, life cycle and leaning stand."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommend.matrix import Amounts, BadPurchases, Codes, Labels, PurchaseLog

Figures = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Visits:
    """One row a member and day with a purchase, rising by (member, day), all before `cut`.

    `members` (M labels) are those who bought anything; `start` (M + 1) says where each one's rows begin and end.
    `items` counts distinct items, `pieces` what was taken home, `amount` is 分.
    """

    cut: int
    members: Labels
    start: Whole
    day: Codes
    items: Whole
    pieces: Whole
    amount: Amounts

    def __len__(self) -> int:
        return len(self.members)

    @property
    def owner(self) -> Whole:
        """Return each row's position in `members`."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    @property
    def count(self) -> Whole:
        """Return the shopping days of each member."""
        return np.asarray(np.diff(self.start))

    @property
    def first(self) -> Codes:
        return self.day[self.start[:-1]]

    @property
    def last(self) -> Codes:
        return self.day[self.start[1:] - 1]

    def total(self, values: NDArray[np.generic], since: int | None = None) -> Whole:
        """Return the sum of a row figure for each member, of days from `since` on."""
        kept = values if since is None else np.where(self.day >= since, values, 0)
        return np.asarray(np.add.reduceat(kept.astype(np.int64), self.start[:-1]))

    def gaps(self) -> tuple[Whole, Whole]:
        """Return (position in `members`, days) of each step from one shopping day to the next."""
        owner = self.owner
        same = owner[1:] == owner[:-1]
        return owner[1:][same], np.diff(self.day.astype(np.int64))[same]


def visits(log: PurchaseLog, cut: int) -> Visits:
    """Return the shopping days before day `cut`, net of returns made by then; BadPurchases when there are none."""
    past = log.before(cut)
    if not len(past):
        raise BadPurchases(f"no purchases before day {cut}")
    first = np.ones(len(past), dtype=np.bool_)
    first[1:] = (past.member[1:] != past.member[:-1]) | (past.day[1:] != past.day[:-1])
    at = np.flatnonzero(first)
    found, begins = np.unique(past.member[at], return_index=True)
    pieces, amount = (np.add.reduceat(column.astype(np.int64), at) for column in (past.quantity, past.amount))
    return Visits(
        cut=cut, members=past.members[found], start=np.append(begins, len(at)), day=past.day[at],
        items=np.diff(np.append(at, len(past))), pieces=pieces, amount=amount,
    )  # fmt: skip
