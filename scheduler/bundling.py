"""Bundles: articles at one price, the first of them the slow stock, offered to the members likeliest to take them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from members import coupons, decisions
from members.clock import business_date
from recommend import baskets, bundle_audience, buyers, features, wording
from recommend.baskets import Goods
from recommend.bundle_audience import Likely
from scheduler.campaigns import Candidate, PlanError
from scheduler.rules import Bundle, PushRules

BY = "bundle"
SAMPLE = 2_000  # members who say what is usual in the shop


def candidates(
    connection: Connection, name: str, rules: PushRules, members: Sequence[int], now: datetime
) -> Iterator[Candidate]:
    """Yield the likeliest of these members, as many as the campaign says and its coupon lasts for.

    PlanError where the articles can't be sold together today, or the coupon is used up.
    """
    campaign = rules.campaigns[name]
    assert isinstance(campaign, Bundle)
    zone, code = rules.base.shop.zone, campaign.offer.template
    rule = rules.base.coupons[code].bundle
    assert rule is not None
    without = features.excluded_codes(rules.recommend, features.category_names(connection))
    goods = _on_sale(connection, rule.products, without)
    left = coupons.left(connection, [code], zone=zone, now=now)[code]
    if not left:
        raise PlanError(f"券「{code}」已经发完或过期")
    rested = now - timedelta(days=rules.recommend.rest_days)
    since = business_date(rested, zone)
    passed = _holders(connection, code, rules, members, now)
    passed |= decisions.products_offered(connection, name, rested).keys()
    read = partial(
        features.read, connection, now=now, zone=zone, rules=rules.recommend, without=without, by="product"
    )  # fmt: skip
    found = bundle_audience.likeliest(
        read(members),
        buyers.beside(connection, rule.products, now=now, zone=zone, rules=rules.recommend, without=without),
        sample=read(buyers.sample(connection, SAMPLE)), bought_since=since,
    )  # fmt: skip
    chosen = [one for one in found if one.member not in passed][: min(left, campaign.likeliest)]
    names = features.product_names(connection, sorted({one.usual for one in chosen}))
    for place, one in enumerate(chosen, 1):
        yield _offer(one, place, goods, names, since)


def _on_sale(connection: Connection, skus: Sequence[str], without: Sequence[str]) -> list[Goods]:
    known = baskets.goods(connection, skus)
    for sku in skus:
        if sku not in known:
            raise PlanError(f"套餐里的「{sku}」不在商品里")
        if not known[sku].active:
            raise PlanError(f"套餐里的「{known[sku].name}」({sku})已经下架")
        if known[sku].category in ("", *without):
            raise PlanError(f"套餐里的「{known[sku].name}」({sku})没有品类,或品类在 recommend.exclude 里")
    return [known[sku] for sku in skus]


def _holders(connection: Connection, code: str, rules: PushRules, members: Sequence[int], now: datetime) -> set[int]:
    """Return who has a live copy of the coupon, or has had as many as one may have."""
    most = rules.base.coupons[code].per_member
    had = coupons.granted(connection, members, [code]) if most is not None else {}
    live = {member for member, _, _ in coupons.live(connection, members, [code], now)}
    return live | {member for (member, _), many in had.items() if most is not None and many >= most}


def _offer(one: Likely, place: int, goods: Sequence[Goods], names: Mapping[str, str], since: date) -> Candidate:
    slow, together = goods[0], "、".join(each.name for each in goods)
    category = slow.category_name or slow.category
    trace: dict[str, Any] = {
        "by": BY, "category": slow.category, "category_name": category, "product": slow.sku, "product_name": together,
        "articles": [each.sku for each in goods], "usual": one.usual, "usual_name": names.get(one.usual, one.usual),
        "share": round(one.share, 4), "base": round(one.base, 4), "score": round(one.score, 4), "place": place,
        "not_since": since.isoformat(),
    }  # fmt: skip
    reason = wording.bundle(trace["usual_name"], slow.name, one.own, one.share, one.base)
    return Candidate(one.member, reason, slow.category, category, product=together, trace=trace)
