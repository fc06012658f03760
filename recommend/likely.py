"""Which categories a member is likely to buy next, and why: by the night's row, or by counts where there is none.

By the row: 1 − Π(1 − p) over the suggested articles of a category, or what the forecast says of the coming week where
that is more. By counts: (Σ over purchase days of the category 2^(−age/half-life) + PRIOR · the shop's share of receipts
with it) / (the same sum over all purchase days + PRIOR): with nothing bought yet, the shop's share.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from members.clock import business_date
from recommend import baskets, features, frequency, scored
from recommend.baskets import Goods
from recommend.features import Bought
from recommend.rules import RecommendRules
from recommend.scored import Scored
from recommend.takings import Taken

AT_ONCE = 2_000
PRIOR, MOST, POPULAR = 3.0, 24, 30
By = Literal["habit", "repurchase", "timing", "alike", "companion", "popular", "frequency"]
OF_ARTICLES = ("habit", "alike", "companion")


@dataclass(frozen=True, slots=True)
class Likely:
    """A category a member may buy: `chance` on the next visit or within the week, which way it is known, and the words.

    `articles`: (sku, chance) of those of it that the night suggests, the likeliest first; of that the words speak when
    `by` is one of OF_ARTICLES.
    """

    category: str
    chance: float
    by: By
    words: str
    articles: tuple[tuple[str, float], ...] = ()


@dataclass(slots=True)
class Reading:
    """One look at the books for any number of members; articles are looked up once."""

    connection: Connection
    rules: RecommendRules
    now: datetime
    zone: ZoneInfo
    without: frozenset[str]
    taken: Mapping[str, Taken]
    shelf: dict[str, Goods | None]

    @classmethod
    def of(
        cls, connection: Connection, rules: RecommendRules, *, now: datetime, zone: ZoneInfo, without: Sequence[str],
        taken: Mapping[str, Taken],
    ) -> "Reading":  # fmt: skip
        """Begin a look at `now`; `without` are category codes that are never offered."""
        return cls(connection, rules, now, zone, frozenset({"", *without}), taken, {})

    def members(self, wanted: Sequence[int]) -> Iterator[tuple[int, list[Likely]]]:
        """Yield each member with what they are likely to buy, the likeliest first; chunk after chunk."""
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            rows = scored.read(self.connection, some, business_date(self.now, self.zone), self.now)
            rows = {member: row for member, row in rows.items() if row.score.suggestions or row.score.cycles}
            baskets.look_up(
                self.connection, self.shelf, {one[0] for row in rows.values() for one in row.score.suggestions}
            )
            counted = [member for member in some if member not in rows]
            bought = dict(
                features.read(
                    self.connection, counted, now=self.now, zone=self.zone, rules=self.rules,
                    without=sorted(self.without - {""}),
                )
            )  # fmt: skip
            for member in some:
                found = self._by_row(rows[member]) if member in rows else self._by_counts(bought.get(member, {}))
                yield member, sorted(found, key=lambda one: (-one.chance, one.category))[:MOST]

    def _by_row(self, row: Scored) -> list[Likely]:
        some: dict[str, list[tuple[float, str, By, str]]] = {}
        without = self.without | row.categories
        for sku, chance, _, _, kind, words in row.score.suggestions:
            goods = self.shelf[sku]
            if goods is not None and goods.active and goods.category not in without:
                some.setdefault(goods.category, []).append((min(max(float(chance), 0.0), 1.0), sku, kind, words))
        found = {}
        for category, suggested in some.items():
            suggested.sort(key=lambda one: (-one[0], one[1]))
            articles = tuple((sku, chance) for chance, sku, _, _ in suggested)
            found[category] = Likely(category, any_of(articles), suggested[0][2], suggested[0][3], articles)
        for cycle in row.cycles():
            known = found.get(cycle.category)
            if cycle.category not in self.without and (known is None or known.chance < cycle.chance):
                mine = () if known is None else known.articles
                found[cycle.category] = Likely(cycle.category, cycle.chance, "timing", cycle.explain(), mine)
        return list(found.values())

    def _by_counts(self, bought: Bought) -> list[Likely]:
        today, half = business_date(self.now, self.zone), self.rules.half_life_days
        days: set[date] = {purchase.day for purchases in bought.values() for purchase in purchases}
        visits = sum(0.5 ** ((today - day).days / half) for day in days)
        found = []
        for item, purchases in bought.items():
            habit = frequency.habit(item, purchases, today, self.rules)
            found.append(Likely(item, self._share(item, habit.score, visits), "frequency", habit.explain()))
        others = [category for category in list(self.taken)[:POPULAR] if category not in bought]
        return found + [Likely(one, self._share(one, 0.0, visits), "popular", "大家常买") for one in others]

    def _share(self, category: str, score: float, visits: float) -> float:
        usual = self.taken[category].share if category in self.taken else 0.0
        return min(1.0, (score + PRIOR * usual) / (visits + PRIOR))


def any_of(articles: Sequence[tuple[str, float]]) -> float:
    """Return the chance that one at least of these is bought, as if they were independent: 1 − Π(1 − p)."""
    missed = 1.0
    for _, chance in articles:
        missed *= 1 - chance
    return 1 - missed
