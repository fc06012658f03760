"""When a member is about to need a category again: the median gap between the days on which it was bought.

due = last day + median gap (rounded to the nearest day, halves up).
confidence = hits / (gaps + 1), hits = gaps g with |g − median| ≤ max(2 days, median / 4).
The + 1 in the denominator keeps few gaps from looking certain: three equal gaps give 0.75, nine give 0.9.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from math import floor
from statistics import median

from recommend import wording
from recommend.features import Bought, Purchase
from recommend.rules import RecommendRules

MIN_DAYS = 4
SLACK_DAYS = 2.0
SLACK_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Cycle:
    """The cycle of one category of one member, in days: `gap` is the median, `mean` what a member is told."""

    item: str
    gap: int
    mean: int
    last: date
    due: date
    confidence: float
    days: int

    def explain(self) -> str:
        """Return the sentence a member reads."""
        return wording.cycle(self.last, self.mean)

    def is_due(self, today: date, days_ahead: int) -> bool:
        """Whether today is a day to remind: from `days_ahead` before the due day to the slack after it.

        Later than that this gap would be no hit any more: the habit has changed, and a reminder would only be noise.
        """
        return -days_ahead <= (today - self.due).days <= slack_of(self.gap)


def slack_of(gap: float) -> float:
    """Return by how many days a gap may differ from the median and still be a hit."""
    return max(SLACK_DAYS, gap * SLACK_SHARE)


def cycle(item: str, purchases: Sequence[Purchase]) -> Cycle | None:
    """Return the cycle of one item (one purchase per day, ascending); None below four days."""
    if len(purchases) < MIN_DAYS:
        return None
    days = [purchase.day for purchase in purchases]
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    middle = median(gaps)
    hits = sum(abs(gap - middle) <= slack_of(middle) for gap in gaps)
    gap = floor(middle + 0.5)
    mean = floor(sum(gaps) / len(gaps) + 0.5)
    return Cycle(item, gap, mean, days[-1], days[-1] + timedelta(days=gap), hits / (len(gaps) + 1), len(days))


def due_cycles(
    bought: Bought, today: date, rules: RecommendRules, *, days_ahead: int, confidence: float
) -> list[Cycle]:
    """Return what is due and sure enough (at least `confidence`), surest first; silent about everything else."""
    found = [cycle(item, days) for item, days in bought.items()]
    due = [
        one
        for one in found
        if one is not None
        and one.confidence >= confidence
        and one.gap >= rules.min_gap_days
        and one.is_due(today, days_ahead)
    ]
    return sorted(due, key=lambda one: (-one.confidence, one.due, one.item))
