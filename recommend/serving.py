"""What a member may need next, served on asking: the one door behind which the ways of recommending change.

Today by simple counts: what is due again, what is bought often, what goes with it, what everybody buys. To who wants
nothing personal, and to strangers, only the last. Long-term liking and short-term intent are two scores: the same
decayed frequency (recommend/frequency.py) with the half-life of the rules, and with one of two weeks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from members.clock import business_date
from members.people import MemberView
from recommend import baskets, features, frequency, repurchase
from recommend.baskets import Goods
from recommend.features import Bought, Purchase
from recommend.rules import RecommendRules

Kind = Literal["repurchase", "habit", "companion", "popular"]
DAYS_AHEAD, CONFIDENCE = 3, 0.4
SHORT_HALF_LIFE = 14
FEW, FAVOURITES, COMPANIONS = 3, 10, 40


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One article to suggest: its sku and name, two scores (0 where nothing personal was read), and why in words."""

    item: str
    name: str
    score_long: float
    score_short: float
    reason: str
    kind: Kind
    category: str = ""
    category_name: str = ""
    price: int | None = None


def suggest(
    connection: Connection, rules: RecommendRules, member: MemberView | None, *, now: datetime, zone: ZoneInfo,
    k: int = 5,
) -> list[Suggestion]:  # fmt: skip
    """Return at most `k` suggestions of what is sold today, the best first, one a category; nothing after `now`.

    None is a stranger; they and who wants nothing personal get the list for everybody.
    """
    names = features.category_names(connection)
    without = features.excluded_codes(rules, names)
    reading = _Reading(connection, rules, now, zone, without)
    chosen: dict[str, Suggestion] = {}
    for one in reading.suggestions(member):
        if one.category not in chosen:
            chosen[one.category] = one
        if len(chosen) == k:
            break
    return list(chosen.values())


@dataclass(frozen=True, slots=True)
class _Reading:
    """One look at the books."""

    connection: Connection
    rules: RecommendRules
    now: datetime
    zone: ZoneInfo
    without: Sequence[str]

    def suggestions(self, member: MemberView | None) -> Iterator[Suggestion]:
        """Yield suggestions, the best first; what costs a look at everybody's receipts only when it is needed."""
        if member is not None and member.personalised:
            by_category, by_product = self._bought(member.id, "category"), self._bought(member.id, "product")
            shelf = baskets.goods(self.connection, list(by_product))
            own = list(self._own(by_category, by_product, shelf))
            yield from own
            if len(own) < FEW:
                yield from self._companions(by_product, shelf)
        yield from self._popular()

    def _bought(self, member: int, by: features.By) -> Bought:
        found = features.read(
            self.connection, [member], now=self.now, zone=self.zone, rules=self.rules, without=self.without, by=by
        )
        return next((bought for _, bought in found), {})

    def _own(self, by_category: Bought, by_product: Bought, shelf: Mapping[str, Goods]) -> Iterator[Suggestion]:
        """Yield what the member is about to need, then what they buy again and again, as their favourite article."""
        today = business_date(self.now, self.zone)
        due = repurchase.due_cycles(by_category, today, self.rules, days_ahead=DAYS_AHEAD, confidence=CONFIDENCE)
        favourite = _favourites(by_product, shelf)
        said: list[tuple[str, str, Kind]] = [(one.item, one.explain(), "repurchase") for one in due]
        said += [(one.item, one.explain(), "habit") for one in frequency.rank(by_category, today, self.rules)]
        for category, reason, kind in said:
            if category in favourite:
                scores = _scores(by_category[category], today, self.rules)
                yield _suggestion(favourite[category], *scores, reason, kind)

    def _companions(self, by_product: Bought, shelf: Mapping[str, Goods]) -> Iterator[Suggestion]:
        mine = sorted(by_product, key=lambda sku: (by_product[sku][-1].day, sku), reverse=True)[:FAVOURITES]
        found = baskets.together(
            self.connection, mine, now=self.now, zone=self.zone, without=self.without, many=COMPANIONS
        )
        known = baskets.goods(self.connection, [sku for sku, _, _ in found])
        bought = {shelf[sku].category for sku in by_product if sku in shelf}
        for sku, beside, _ in found:
            if known[sku].category not in bought:
                yield _suggestion(known[sku], 0.0, 0.0, f"常和{shelf[beside].name}一起买", "companion")

    def _popular(self) -> Iterator[Suggestion]:
        found = baskets.popular(self.connection, now=self.now, zone=self.zone, without=self.without, many=COMPANIONS)
        known = baskets.goods(self.connection, [sku for sku, _ in found])
        for sku, _ in found:
            yield _suggestion(known[sku], 0.0, 0.0, "大家常买", "popular")


def _suggestion(one: Goods, score_long: float, score_short: float, reason: str, kind: Kind) -> Suggestion:
    return Suggestion(
        one.sku, one.name, round(score_long, 4), round(score_short, 4), reason, kind, one.category, one.category_name,
        one.price,
    )  # fmt: skip


def _favourites(by_product: Bought, shelf: Mapping[str, Goods]) -> dict[str, Goods]:
    """Return {category: the article of it that is sold today and was bought on most days, then last}."""
    ranked = sorted(by_product, key=lambda sku: (len(by_product[sku]), by_product[sku][-1].day, sku))
    return {shelf[sku].category: shelf[sku] for sku in ranked if sku in shelf and shelf[sku].active}


def _scores(purchases: Sequence[Purchase], today: date, rules: RecommendRules) -> tuple[float, float]:
    ages = [(today - purchase.day).days for purchase in purchases]
    long, short = (sum(0.5 ** (age / half) for age in ages) for half in (rules.half_life_days, SHORT_HALF_LIFE))
    return long, short
