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
    """One entry per member of the log: '' and 0 where nothing is known; `decile` is 0 for none."""

    stage: Rows
    rhythm: Rows
    silence: Rows
    decile: Rows
    rfm: Rows
    version: str
    loyalty: Rows

    def score(
        self,
        row: int,
        member: int,
        day: date,
        suggestions: Sequence[Sequence[Any]],
        cycles: Sequence[Sequence[Any]] | None,
    ) -> Score:
        """Return the row of the member at a place of the log."""
        return Score(
            member, day, suggestions, cycles, str(self.stage[row]), int(self.rhythm[row]), int(self.silence[row]),
            int(self.decile[row]) or None, str(self.rfm[row]), self.version if self.rfm[row] else "",
            str(self.loyalty[row]),
        )  # fmt: skip


def of(log: PurchaseLog, today: int, shelf: Shelf, scheme: RfmScheme | None = None) -> Standing:
    """Return where everybody of the log stands on the morning of `today`; `scheme`: RFM edges, else by fifths."""
    size = len(log.members)
    stage, group, brand = (np.full(size, "", dtype=object) for _ in range(3))
    rhythm, silence, decile = (np.zeros(size, dtype=np.int64) for _ in range(3))
    try:
        shop = life_cycle.fit(log, today)
        cycle = life_cycle.life_cycle(log, today, shop)
        at = np.searchsorted(log.members, cycle.members)
        words = np.array(list(STAGES.values()), dtype=object)
        stage[at] = words[[list(STAGES).index(one) for one in Stage]][cycle.stage]
        rhythm[at], silence[at] = np.maximum(1, np.rint(cycle.rhythm)).astype(np.int64), cycle.silence
    except BadPurchases:  # nobody has come twice yet
        pass
    worth = value.value(log, today, WINDOW)
    decile[np.searchsorted(log.members, worth.members)] = worth.decile
    scheme = scheme or rfm.quantile_scheme(log, today, window=WINDOW)
    found = rfm.rfm(log, today, scheme)
    names = np.array([found.segment(row) for row in range(len(found.members))], dtype=object)
    group[np.searchsorted(log.members, found.members)] = names
    _brands(log, today, shelf, brand)
    return Standing(stage, rhythm, silence, decile, group, scheme.version, brand)


def _brands(log: PurchaseLog, today: int, shelf: Shelf, brand: Rows) -> None:
    """Write each member's quadrant over all categories that have an own brand."""
    with_own = np.isin(shelf.category, np.unique(shelf.category[shelf.own]))
    if not with_own.any():
        return
    found = loyalty.loyalty(log, today, shelf.own, np.where(with_own, "own", ""))
    brand[found.member] = [str(found.quadrant_of(row)) for row in range(len(found.member))]
