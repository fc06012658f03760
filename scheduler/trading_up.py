"""Trade-up and cross-sell: what the night found that a member could be led on to, as it still stands today."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from members import coupons, decisions
from members.clock import business_date
from recommend import baskets, features, scored
from recommend.baskets import Goods
from recommend.scored import Scored, Upgrade
from scheduler.campaigns import Candidate, PlanError
from scheduler.rules import PushRules, TradeUp

AT_ONCE = 2_000
EVER = "1970-01-01"  # what was ever tried is no step up


@dataclass(frozen=True, slots=True)
class Desk:
    """What an offer is judged by: wanted ways, articles, categories never offered, and what rests for whom."""

    want: Sequence[str]
    shelf: Mapping[str, Goods | None]
    without: Set[str]
    rested: Mapping[int, Set[str]]

    def candidate(self, member: int, row: Scored, held: Set[str]) -> Candidate | None:
        """Return the first upgrade of the way preferred most that can be offered; None without one.

        `held`: categories for which the member has a coupon of this campaign already.
        """
        resting = self.rested.get(member, set())
        found = sorted(row.upgrades(), key=lambda one: self.want.index(one.by) if one.by in self.want else -1)
        for one in found:
            usual, offered = self.shelf[one.usual], self.shelf[one.sku]
            if one.by not in self.want or one.sku in resting or usual is None or offered is None:
                continue
            dearer = _dearer(usual, offered)
            if usual.name == offered.name or (one.by == "premium" and dearer is not None and dearer <= 0):
                continue
            if not offered.active or offered.category in held:
                continue
            if self.without.isdisjoint((usual.category, offered.category)):
                return _offer(member, one, usual, offered, row.score.day.isoformat())
        return None


def candidates(
    connection: Connection, name: str, rules: PushRules, members: Sequence[int], now: datetime
) -> Iterator[Candidate]:
    """Yield what the campaign leads each of these members on to; who gets nothing is missing.

    PlanError where no night has told of any of them: nothing is known, and the period is not to be used up by that.
    """
    campaign = rules.campaigns[name]
    assert isinstance(campaign, TradeUp)
    today, shelf = business_date(now, rules.base.shop.zone), dict[str, Goods | None]()
    without = {"", *features.excluded_codes(rules.recommend, features.category_names(connection))}
    rested = decisions.products_offered(connection, name, now - timedelta(days=rules.recommend.rest_days))
    desk, known = Desk(campaign.want, shelf, without, rested), 0
    for start in range(0, len(members), AT_ONCE):
        some = members[start : start + AT_ONCE]
        rows = scored.read(connection, some, today, now)
        known += len(rows)
        codes = [] if campaign.offer is None else [campaign.offer.template]
        held = defaultdict[int, set[str]](set)  # of members: categories of the copies they could still use
        for member, _, category in coupons.live(connection, some, codes, now):
            held[member].add(category)
        skus = {sku for row in rows.values() for one in row.upgrades() for sku in (one.usual, one.sku)}
        baskets.look_up(connection, shelf, skus)
        for member, row in rows.items():
            found = None if "" in held[member] else desk.candidate(member, row, held[member])
            if found is not None:
                yield found
    if members and not known:
        raise PlanError("这些会员还没有打过分(每晚打一次,七天有效):先运行 memberbot model score")


def _dearer(usual: Goods, offered: Goods) -> int | None:
    """Return by how many 分 the offered article is dearer on today's shelf; None where a price is not known."""
    return offered.price - usual.price if usual.price and offered.price else None


def _offer(member: int, one: Upgrade, usual: Goods, offered: Goods, scored_on: str) -> Candidate:
    category = offered.category_name or offered.category
    trace = {
        "by": one.by, "category": offered.category, "category_name": category, "product": one.sku,
        "product_name": offered.name, "usual": one.usual, "usual_name": usual.name, "share": one.share,
        "extra" if one.by == "premium" else "beyond": one.beyond, "scored": scored_on,
        "not_since": EVER,
    }  # fmt: skip
    reason = one.explain(usual.name, offered.name, dearer=_dearer(usual, offered))
    return Candidate(
        member, reason, offered.category, category, product=offered.name, usual=usual.name, trace=trace
    )  # fmt: skip
