"""Decayed personal frequency: what a member buys again and again, recent days counting more.

score = Σ over purchase days 2^(−age/half-life), age in days: exponential decay as in any half-life weighting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from recommend import wording
from recommend.features import Bought, Purchase
from recommend.rules import RecommendRules

RECENT_DAYS = 60


@dataclass(frozen=True, slots=True)
class Habit:
    """One item of one member: its score, on how many days it was bought, in all and recently, and last when."""

    item: str
    score: float
    days: int
    recent: int
    last: date
    span_days: int

    def explain(self) -> str:
        """Return the sentence a member reads."""
        if self.recent >= 2:
            return wording.often(self.recent, RECENT_DAYS)
        return wording.often(self.days, self.span_days)


def habit(item: str, purchases: Sequence[Purchase], today: date, rules: RecommendRules) -> Habit:
    """Score one item from its purchases (one per day, ascending, none after today)."""
    ages = [(today - purchase.day).days for purchase in purchases]
    score = sum(0.5 ** (age / rules.half_life_days) for age in ages)
    recent = sum(age < RECENT_DAYS for age in ages)
    return Habit(item, score, len(ages), recent, purchases[-1].day, ages[0] + 1)


def rank(bought: Bought, today: date, rules: RecommendRules) -> list[Habit]:
    """Return a member's habits, strongest first; fewer than `min_purchases` days is no habit. Ties go by item."""
    habits = [
        habit(item, days, today, rules) for item, days in bought.items() if len(days) >= max(rules.min_purchases, 1)
    ]
    return sorted(habits, key=lambda found: (-found.score, found.item))
