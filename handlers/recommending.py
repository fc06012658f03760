"""What might be needed next: a short list with a reason each, a coupon that fits, and the trace that 为什么 reads."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from handlers import calling
from handlers.choosing import Option
from handlers.context import Context, Reply
from handlers.copy import yuan
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import coupons as books
from members import decisions
from members.clock import business_date
from recommend import serving
from recommend.serving import Suggestion

SHOWN, COUPONS, NAME_CHARS = 5, 20, 20
BENEFITS = ("off", "percent", "free", "gift", "bundle")


def recommend(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Name a few articles the member may need; to strangers and who refused personal choices, what everybody buys."""
    member, zone = ctx.person.member, ctx.rules.shop.zone
    found = serving.suggest(ctx.connection, ctx.recommend, member, now=ctx.now, zone=zone, k=SHOWN)
    one = next((place for place in found if place.item == said.slots.get("item")), None)
    if one is not None:
        return Reply("\n".join(_details(ctx, one)))
    personal = member is not None and member.personalised
    if not found:
        none = "recommend_stranger" if member is None else "recommend_none" if personal else "recommend_plain"
        return Reply(ctx.copy.text(none))
    if member is not None:
        _remember(ctx, member.id, found)
    options = [Option(_short(one.name), "recommend", {"item": one.item}) for one in found]
    standing = calling.listed(ctx, options)
    head = "recommend" if personal else "recommend_everybody" if member is None else "recommend_plain_list"
    lines = [
        ctx.copy.text("recommend_numbered", no=number, name=_short(one.name), reason=one.reason)
        for number, one in enumerate(found, 1)
    ]
    coupon = [] if member is None else _coupon(ctx, member.id, found)
    foot = [ctx.copy.text("recommend_number")] if standing else []
    return Reply("\n".join([ctx.copy.text(head), *lines, *coupon, *foot]))


def _details(ctx: Context, one: Suggestion) -> list[str]:
    price = [ctx.copy.text("recommend_price", price=yuan(one.price))] if one.price else []
    why = ctx.copy.text("recommend_because", reason=one.reason)
    coupon = [] if ctx.person.member is None else _coupon(ctx, ctx.member.id, [one])
    return [one.name, *price, why, *coupon]


def _short(name: str) -> str:
    return name if len(name) <= NAME_CHARS else f"{name[: NAME_CHARS - 1]}…"


def _coupon(ctx: Context, member: int, found: Sequence[Suggestion]) -> list[str]:
    """Return a line that names one usable coupon: the first made for one of these, else the first good for anything."""
    usable = books.usable(ctx.connection, member, ctx.now, many=COUPONS)
    scoped = [(coupon, _scope(ctx, coupon)) for coupon in usable if any((coupon.rule or {}).get(b) for b in BENEFITS)]
    for coupon, scope in scoped:
        fitting = next((one for one in found if _made_for(scope, one)), None)
        if fitting is not None:
            return [ctx.copy.text("recommend_coupon_for", name=_short(fitting.name), title=coupon.title)]
    anything = [
        coupon for coupon, scope in scoped if not any(scope.get(name) for name in ("category", "products", "brands"))
    ]
    return [ctx.copy.text("recommend_coupon", title=anything[0].title)] if anything else []


def _scope(ctx: Context, coupon: Any) -> dict[str, Any]:
    scope = dict((coupon.rule or {}).get("scope") or {})
    if scope.get("category") == books.CATEGORY or books.PRODUCT in (scope.get("products") or ()):
        chosen = books.held(ctx.connection, books.by_id(ctx.connection, coupon.id)).rule.scope
        scope |= {"category": chosen.category, "products": chosen.products}
    return scope


def _made_for(scope: dict[str, Any], one: Suggestion) -> bool:
    """Tell whether a coupon is for this article or its category; one for brands is not looked at."""
    kinds = {one.category, one.category_name, one.item}
    category, products = scope.get("category"), scope.get("products") or ()
    if scope.get("brands") or kinds & set(scope.get("exclude") or ()) or not (category or products):
        return False
    return (not category or category in kinds) and (not products or one.item in products)


def _remember(ctx: Context, member: int, found: Sequence[Suggestion]) -> None:
    """Store why, for 为什么; the same list on the same day is one decision."""
    items, campaign = [asdict(one) for one in found], ctx.copy.text("recommend_campaign")
    for before in decisions.latest(ctx.connection, member, many=1):
        same = [item.get("item") for item in before.trace.get("items", [])] == [one.item for one in found]
        zone = ctx.rules.shop.zone
        if before.campaign == campaign and same and business_date(before.at, zone) == business_date(ctx.now, zone):
            return
    reason = ctx.copy.text("and_list").join(
        ctx.copy.text("recommend_reason", name=_short(one.name), reason=one.reason) for one in found
    )
    personal = any(one.kind != "popular" for one in found)
    trace = {"by": "suggest" if personal else "everybody", "items": items}
    decisions.record(ctx.connection, member, campaign=campaign, template="", reason=reason, trace=trace, now=ctx.now)
