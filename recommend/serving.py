"""What a member may need next, served on asking: the one door behind which the ways of recommending change.

From the score the night left (recommend/scored.py), without what was bought since and with what goes with that. Where
there is none, by simple counts: what is due again, what is bought often, what goes with it, what everybody buys. To who
wants nothing personal, and to strangers, only the last. Long-term liking and short-term intent are two scores: by
counts, the decayed frequency (recommend/frequency.py) with the half-life of the rules, and with one of two weeks.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from members import scores
from members.clock import business_date
from members.people import MemberView
from recommend import baskets, features, frequency, repurchase, scored, wording
from recommend.baskets import Goods
from recommend.features import Bought, Purchase
from recommend.rules import RecommendRules
from recommend.scored import Scored

Kind = Literal["repurchase", "habit", "alike", "companion", "popular"]
DAYS_AHEAD, CONFIDENCE = 3, 0.4
SHORT_HALF_LIFE = 14
FEW, FAVOURITES, COMPANIONS = 3, 10, 40
BEFORE_COMPANION, BEFORE_NEW, JUST_BOUGHT = 1, 3, 10


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
            today = business_date(self.now, self.zone)
            row = scored.read(self.connection, [member.id], today, self.now).get(member.id)
            if row is not None and row.score.suggestions:
                yield from self._scored(row)
                yield from (one for one in self._popular() if one.category not in row.categories)
                return
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

    def _scored(self, row: Scored) -> Iterator[Suggestion]:
        """Yield the night's suggestions but for what was bought since; what goes with that comes second.

        One place among the first is for something the member has never bought.
        """
        beside = scores.companions(self.connection, row.skus[:JUST_BOUGHT])
        told = {sku for one in row.score.suggestions for sku in one[:1]} | {
            one[0] for some in beside.values() for one in some
        }
        shelf = baskets.goods(self.connection, [*told, *beside])
        without = {*self.without, *row.categories}
        own = [one for one in row.score.suggestions if _sold(shelf, one[0], without)]
        known = [self._as_told(shelf[one[0]], one) for one in own if one[4] in ("habit", "repurchase")]
        fresh = [self._as_told(shelf[one[0]], one) for one in own if one[4] not in ("habit", "repurchase")]
        near = [
            _suggestion(shelf[one[0]], 0.0, 0.0, wording.together(shelf[sku].name), "companion")
            for sku, some in beside.items()
            for one in some
            if _sold(shelf, one[0], without) and shelf[sku].category not in self.without
        ]
        yield from known[:BEFORE_COMPANION]
        yield from near[:1]
        yield from known[BEFORE_COMPANION:BEFORE_NEW]
        yield from fresh[:1]
        yield from known[BEFORE_NEW:]
        yield from [*near[1:], *fresh[1:]]

    def _as_told(self, goods: Goods, one: Sequence[Any]) -> Suggestion:
        _, _, long, short, kind, reason = one
        told = wording.of_category(goods.category_name, reason) if kind == "repurchase" else reason
        return _suggestion(goods, long, short, told, kind)

    def _own(self, by_category: Bought, by_product: Bought, shelf: Mapping[str, Goods]) -> Iterator[Suggestion]:
        """Yield what the member is about to need, then what they buy again and again, as their favourite article.

        What was bought today is not needed again today.
        """
        today = business_date(self.now, self.zone)
        by_category = {code: days for code, days in by_category.items() if days[-1].day < today}
        due = repurchase.due_cycles(by_category, today, self.rules, days_ahead=DAYS_AHEAD, confidence=CONFIDENCE)
        favourite = _favourites(by_product, shelf)
        said: list[tuple[str, str, Kind]] = [(one.item, one.explain(), "repurchase") for one in due]
        said += [(one.item, one.explain(), "habit") for one in frequency.rank(by_category, today, self.rules)]
        for category, reason, kind in said:
            if category in favourite:
                scores = _scores(by_category[category], today, self.rules)
                goods = favourite[category]
                yield _suggestion(goods, *scores, wording.of_category(goods.category_name, reason), kind)

    def _companions(self, by_product: Bought, shelf: Mapping[str, Goods]) -> Iterator[Suggestion]:
        mine = sorted(by_product, key=lambda sku: (by_product[sku][-1].day, sku), reverse=True)[:FAVOURITES]
        found = baskets.together(
            self.connection, mine, now=self.now, zone=self.zone, without=self.without, many=COMPANIONS
        )
        known = baskets.goods(self.connection, [sku for sku, _, _ in found])
        bought = {shelf[sku].category for sku in by_product if sku in shelf}
        for sku, beside, _ in found:
            if known[sku].category not in bought:
                yield _suggestion(known[sku], 0.0, 0.0, wording.together(shelf[beside].name), "companion")

    def _popular(self) -> Iterator[Suggestion]:
        found = baskets.popular(self.connection, now=self.now, zone=self.zone, without=self.without, many=COMPANIONS)
        known = baskets.goods(self.connection, [sku for sku, _ in found])
        for sku, _ in found:
            yield _suggestion(known[sku], 0.0, 0.0, wording.POPULAR, "popular")


def _sold(shelf: Mapping[str, Goods], sku: str, without: Iterable[str]) -> bool:
    return sku in shelf and shelf[sku].active and shelf[sku].category not in without


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
