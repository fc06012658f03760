"""Life cycle: new, active, slowing, dormant or lost, by a member's silence against the member's own rhythm.

rhythm = (PRIOR · typical gap of the shop + Σ own gaps) / (PRIOR + own gaps), days: a mean shrunk to the shop's, as in
empirical Bayes (Efron & Morris 1975). silence = days since the last visit / rhythm. chance = of members as silent on
earlier days, the share who came within the next HORIZON own rhythms: isotonic regression over landmark days (Barlow et
al. 1972; van Houwelingen 2007), all of them over before the cut, with a few pseudo-observations for young shops.
Active is a chance from 0.8 on, slowing from 0.5, dormant from 0.25, lost below; no stage is a fixed number of days.
New is who has fewer than three shopping days and whose chance is still that of an active member.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from recommend.matrix import BadPurchases, Labels, PurchaseLog
from recommend.visits import Figures, Visits, Whole, visits

PRIOR, NEW_DAYS, HORIZON, LANDMARKS = 2.0, 3, 4.0, 12
LIMITS = (0.8, 0.5, 0.25)
PSEUDO, HALF, STEEP = 5.0, 8.0, 1.5
GRID = (0.25, 0.5, 1, 2, 3, 4, 6, 9, 14, 25, 50)


class Stage(StrEnum):
    """Where a member is; the value is the word a marketer reads."""

    NEW = "新会员"
    ACTIVE = "活跃"
    SLOWING = "放缓"
    DORMANT = "沉睡"
    LOST = "流失"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What was learnt of a shop: the typical gap in days, and the chance to come back at rising silences."""

    gap: float
    silence: tuple[float, ...]
    chance: tuple[float, ...]

    def chance_at(self, silence: Figures) -> Figures:
        """Return the chance to come within HORIZON own rhythms, straight between the silences learnt."""
        return np.asarray(np.interp(silence, self.silence, self.chance))


@dataclass(frozen=True, slots=True)
class LifeCycle:
    """Per member: own rhythm and silence in days, chance to come back, and the stage (position in `tuple(Stage)`)."""

    members: Labels
    rhythm: Figures
    silence: Whole
    chance: Figures
    stage: Whole

    def stage_of(self, row: int) -> Stage:
        """Return the stage of the member in a row."""
        return tuple(Stage)[int(self.stage[row])]

    def explain(self, row: int) -> str:
        """Return the sentence a marketer reads."""
        return f"{self.stage_of(row)}:通常{self.rhythm[row]:.0f}天来一次,已{self.silence[row]}天没来"


def fit(log: PurchaseLog, cut: int) -> Rhythm:
    """Return the shop's rhythm from what was before day `cut`; BadPurchases when no member came twice."""
    from scipy.optimize import isotonic_regression

    found = visits(log, cut)
    owner, gaps = found.gaps()
    if not len(gaps):
        raise BadPurchases(f"no member came twice before day {cut}")
    count = np.bincount(owner, minlength=len(found))
    typical = float(np.median((np.bincount(owner, gaps, len(found)) / np.maximum(count, 1))[count > 0]))
    silence, came = _landmarks(found, typical)
    grid = np.array(GRID)
    at = np.concatenate([grid, silence])
    seen = np.concatenate([1 / (1 + (grid / HALF) ** STEEP), came])
    weight = np.concatenate([np.full(len(grid), PSEUDO), np.ones(len(came))])
    points, group = np.unique(at, return_inverse=True)
    total = np.bincount(group, weight)
    fitted = isotonic_regression(np.bincount(group, weight * seen) / total, weights=total, increasing=False).x
    turn = np.flatnonzero(np.diff(fitted, prepend=np.inf, append=-np.inf) != 0)
    knots = np.unique(np.concatenate([turn[:-1], turn[1:] - 1]))
    return Rhythm(typical, tuple(points[knots].tolist()), tuple(fitted[knots].tolist()))


def life_cycle(log: PurchaseLog, cut: int, shop: Rhythm) -> LifeCycle:
    """Return the stage of everybody who bought before day `cut`, as it is on the morning of that day."""
    found = visits(log, cut)
    last = found.start[1:] - 1
    rhythm, silence = _rhythm(found, last, shop.gap), (cut - found.day[last]).astype(np.int64)
    chance = shop.chance_at(silence / rhythm)
    passed = np.sum([chance < limit for limit in LIMITS], axis=0)
    new = (found.count < NEW_DAYS) & (passed == 0)
    return LifeCycle(found.members, rhythm, silence, chance, np.where(new, 0, passed + 1))


def _rhythm(found: Visits, last: Whole, typical: float) -> Figures:
    """Return the rhythm as it stood after each member's visit in row `last`: own gaps sum up to last − first."""
    own = last - found.start[:-1]
    span = found.day[last].astype(np.int64) - found.first
    return np.asarray((PRIOR * typical + span) / (PRIOR + own))


def _landmarks(found: Visits, typical: float) -> tuple[Figures, NDArray[np.bool_]]:
    """Return (silence in own rhythms, came within HORIZON of them) of members on days whose horizon is over."""
    begin = int(found.day.min())
    days = np.unique(np.linspace(begin, found.cut, LANDMARKS + 2)[1:-1].astype(np.int64))
    width = found.cut - begin + 1
    keys = found.owner * width + (found.day - begin)
    silences, cames = [], []
    for day in days.tolist():
        after = np.searchsorted(keys, np.arange(len(found)) * width + (day - begin))
        known = after > found.start[:-1]
        last = np.maximum(after - 1, found.start[:-1])
        rhythm = _rhythm(found, last, typical)
        known &= day + HORIZON * rhythm <= found.cut
        more = after < found.start[1:]
        following = found.day[np.minimum(after, len(keys) - 1)]
        came = more & (following < day + HORIZON * rhythm)
        silences.append(((day - found.day[last]) / rhythm)[known])
        cames.append(came[known])
    return np.concatenate(silences), np.concatenate(cames)
