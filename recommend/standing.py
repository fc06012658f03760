"""Where every member stands on one morning: life cycle, value decile, RFM and own-brand loyalty, row by row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from members.scores import Score
from recommend import life_cycle, loyalty, rfm, value
from recommend.books import Shelf
from recommend.life_cycle import Stage
from recommend.matrix import BadPurchases, PurchaseLog
from recommend.rfm import RfmScheme

WINDOW = 365
STAGES = {
    Stage.NEW: "new", Stage.ACTIVE: "active", Stage.SLOWING: "slowing", Stage.DORMANT: "dormant", Stage.LOST: "lost",
}  # fmt: skip
Rows = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """One entry per member with a receipt: '' and 0 where nothing is known; `decile` is 0 for none."""

    members: Rows
    stage: Rows
    rhythm: Rows
    silence: Rows
    decile: Rows
    rfm: Rows
    version: str
    loyalty: Rows

    def places(self, members: Rows) -> list[int]:
        """Return where these members stand, −1 for who has no receipt."""
        at = np.minimum(np.searchsorted(self.members, members), len(self.members) - 1)
        return [int(place) for place in np.where(self.members[at] == members, at, -1)]

    def score(
        self,
        place: int,
        member: int,
        day: date,
        suggestions: Sequence[Sequence[Any]],
        cycles: Sequence[Sequence[Any]] | None,
    ) -> Score:
        """Return the row of the member who stands at a place."""
        if place < 0:
            return Score(member, day, suggestions, cycles)
        return Score(
            member, day, suggestions, cycles, str(self.stage[place]), int(self.rhythm[place]),
            int(self.silence[place]), int(self.decile[place]) or None, str(self.rfm[place]),
            self.version if self.rfm[place] else "", str(self.loyalty[place]),
        )  # fmt: skip


def of(
    receipts: PurchaseLog, today: int, scheme: RfmScheme | None = None, *, bought: PurchaseLog | None = None,
    shelf: Shelf | None = None,
) -> Standing:  # fmt: skip
    """Return where everybody with a receipt stands on the morning of `today`; `scheme`: RFM edges, else by fifths.

    What was spent and when is told by the receipts whole (recommend.books.receipts); `bought` and its shelf, lines of
    articles, tell of own brands alone.
    """
    size = len(receipts.members)
    stage, group, brand = (np.full(size, "", dtype=object) for _ in range(3))
    rhythm, silence, decile = (np.zeros(size, dtype=np.int64) for _ in range(3))
    try:
        shop = life_cycle.fit(receipts, today)
        cycle = life_cycle.life_cycle(receipts, today, shop)
        at = np.searchsorted(receipts.members, cycle.members)
        words = np.array(list(STAGES.values()), dtype=object)
        stage[at] = words[[list(STAGES).index(one) for one in Stage]][cycle.stage]
        rhythm[at], silence[at] = np.maximum(1, np.rint(cycle.rhythm)).astype(np.int64), cycle.silence
    except BadPurchases:  # nobody has come twice yet
        pass
    worth = value.value(receipts, today, WINDOW)
    decile[np.searchsorted(receipts.members, worth.members)] = worth.decile
    scheme = scheme or rfm.quantile_scheme(receipts, today, window=WINDOW)
    found = rfm.rfm(receipts, today, scheme)
    names = np.array([found.segment(row) for row in range(len(found.members))], dtype=object)
    group[np.searchsorted(receipts.members, found.members)] = names
    where = Standing(receipts.members, stage, rhythm, silence, decile, group, scheme.version, brand)
    if bought is not None and shelf is not None:
        _brands(bought, today, shelf, where)
    return where


def _brands(log: PurchaseLog, today: int, shelf: Shelf, where: Standing) -> None:
    """Write each member's quadrant over all categories that have an own brand."""
    with_own = np.isin(shelf.category, np.unique(shelf.category[shelf.own]))
    if not with_own.any():
        return
    found = loyalty.loyalty(log, today, shelf.own, np.where(with_own, "own", ""))
    for row, place in enumerate(where.places(log.members[found.member])):
        if place >= 0:
            where.loyalty[place] = str(found.quadrant_of(row))
