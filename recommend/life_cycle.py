"""Life cycle: new, active, slowing, dormant or lost, by a member's silence against the member's own rhythm.

rhythm = (PRIOR · typical gap of the shop + Σ own gaps) / (PRIOR + own gaps), days: a mean shrunk to the shop's, as in
empirical Bayes (Efron & Morris 1975). silence = days since the last visit / rhythm. The limits are quantiles of the
relative gaps after which members of this shop did come back: longer than 90% of them is slowing, 98% dormant, 99.8%
lost. Nothing is a fixed number of days. New is who has fewer than three shopping days and is not yet slowing.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from recommend.matrix import BadPurchases, Labels, PurchaseLog
from recommend.visits import Figures, Visits, Whole, visits

PRIOR, NEW_DAYS = 2.0, 3
QUANTILES = (0.9, 0.98, 0.998)


class Stage(StrEnum):
    """Where a member is; the value is the word a marketer reads."""

    NEW = "新会员"
    ACTIVE = "活跃"
    SLOWING = "放缓"
    DORMANT = "沉睡"
    LOST = "流失"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What was learnt of a shop: the typical gap in days, and the silences (in own rhythms) where stages begin."""

    gap: float
    slowing: float
    dormant: float
    lost: float


@dataclass(frozen=True, slots=True)
class LifeCycle:
    """Per member: own rhythm and silence in days, and the stage (position in `tuple(Stage)`)."""

    members: Labels
    rhythm: Figures
    silence: Whole
    stage: Whole

    def stage_of(self, row: int) -> Stage:
        """Return the stage of the member in a row."""
        return tuple(Stage)[int(self.stage[row])]

    def explain(self, row: int) -> str:
        """Return the sentence a marketer reads."""
        return f"{self.stage_of(row)}:通常{self.rhythm[row]:.0f}天来一次,已{self.silence[row]}天没来"


def fit(log: PurchaseLog, cut: int) -> Rhythm:
    """Return the shop's rhythm from the gaps before day `cut`; BadPurchases when no member came twice."""
    found = visits(log, cut)
    owner, gaps = found.gaps()
    if not len(gaps):
        raise BadPurchases(f"no member came twice before day {cut}")
    count = np.bincount(owner, minlength=len(found))
    means = (np.bincount(owner, gaps, len(found)) / np.maximum(count, 1))[count > 0]
    typical = float(np.median(means))
    limits = np.quantile(gaps / _rhythm(found, typical)[owner], QUANTILES, method="higher")
    return Rhythm(typical, *(float(limit) for limit in limits))


def life_cycle(log: PurchaseLog, cut: int, shop: Rhythm) -> LifeCycle:
    """Return the stage of everybody who bought before day `cut`, as it is on the morning of that day."""
    found = visits(log, cut)
    rhythm, silence = _rhythm(found, shop.gap), (cut - found.last).astype(np.int64)
    passed = np.searchsorted((shop.slowing, shop.dormant, shop.lost), silence / rhythm, side="left")
    new = (found.count < NEW_DAYS) & (passed == 0)
    return LifeCycle(found.members, rhythm, silence, np.where(new, 0, passed + 1))


def _rhythm(found: Visits, typical: float) -> Figures:
    owner, gaps = found.gaps()
    count, total = np.bincount(owner, minlength=len(found)), np.bincount(owner, gaps, len(found))
    return np.asarray((PRIOR * typical + total) / (PRIOR + count))
