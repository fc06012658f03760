"""Habit tags: what a member does more than the shop's other members, with the probability that it is no accident.

A group's rate is the share of shopping days on which something of it was bought. With the shop's rate r as a Beta
prior of PRIOR shopping days, a member's rate after n of N days is Beta(PRIOR·r + n, PRIOR·(1 − r) + N − n) (the
conjugate posterior of a binomial share); confidence = P(rate > FACTOR · r).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recommend.household_traits import SOURCE, Counts, InferredTag
from recommend.matrix import Labels
from recommend.taxonomy import Taxonomy
from recommend.visits import Figures

PRIOR, FACTOR = 10.0, 1.5


@dataclass(frozen=True, slots=True)
class Habits:
    """Per member (M) and group (G): confidence that it is a habit, purchase days, and the shop's rate (G)."""

    taxonomy: Taxonomy
    members: Labels
    confidence: Figures
    days: Figures
    rate: Figures

    def tags(self, floor: float = 0.9, most: int = 5) -> Iterator[InferredTag]:
        """Yield each member's surest habits, at most so many, none twice; several groups can be one habit."""
        for row in range(len(self.members)):
            told: set[str] = set()
            for at in np.argsort(-self.confidence[row], kind="stable").tolist():
                group = self.taxonomy.groups[at]
                if self.confidence[row, at] < floor or len(told) == most:
                    break
                if group.habit not in told:
                    told.add(group.habit)
                    why = f"{group.name}买过{self.days[row, at]:.0f}天"
                    yield InferredTag(
                        self.members[row], group.habit, round(float(self.confidence[row, at]), 3), SOURCE, why
                    )


def shop_rates(counted: Counts) -> Figures:
    """Return the share of the shop's shopping days with each group (G)."""
    return np.asarray(counted.days.sum(axis=0) / counted.visits.sum())


def habits(counted: Counts, taxonomy: Taxonomy, rate: Figures) -> Habits:
    """Return the confidence in each habit; `rate` is the shop's (G), of these or of all members."""
    from scipy.special import betainc

    known = np.clip(rate, 1e-6, 0.999)
    for_it = PRIOR * known + counted.days
    against = PRIOR * (1 - known) + counted.visits[:, None] - counted.days
    confidence = 1 - betainc(for_it, against, np.minimum(FACTOR * known, 1.0))
    return Habits(taxonomy, counted.members, confidence, counted.days.astype(np.float64), rate)
