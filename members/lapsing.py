"""Whether a planned message is still wanted at the moment it would go out: refusals and purchases since the plan."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, select

from members import attention, consent
from members.products import KEPT
from members.tables import Coupon, Erasure, Member, Order, OrderLine, Product, table

orders, lines, products, members = table(Order), table(OrderLine), table(Product), table(Member)
coupons, erasures = table(Coupon), table(Erasure)
PUSHED = ("marketing", "reminder")
NEVER = date.max
_SINCE = (
    select(orders.c.id)
    .select_from(orders.join(lines, lines.c.order_id == orders.c.id).join(products))
    .where(
        orders.c.member_id == bindparam("member"),
        (orders.c.at > bindparam("since")) | (orders.c.day >= bindparam("first")),
        orders.c.at <= bindparam("until"),
        orders.c.state != "refunded",
        KEPT,
    )
    .limit(1)
)
_BOUGHT = _SINCE.where(products.c.category == bindparam("code"))
_TOOK = _SINCE.where(products.c.sku == bindparam("sku"))
_ON_SALE = select(func.count()).where(products.c.sku.in_(bindparam("skus", expanding=True)), products.c.active)
_STILL_HELD = (
    select(func.count())
    .select_from(coupons)
    .where(coupons.c.id.in_(bindparam("waiting", expanding=True)), coupons.c.state.in_(("issued", "locked")))
    .where(coupons.c.member_id == bindparam("member"))
)
_WANTS = select(
    members.c.personalised, members.c.state, members.c.attention,
    exists().where(erasures.c.member_id == members.c.id, erasures.c.state == "waiting").label("leaving"),
).where(members.c.id == bindparam("member"))  # fmt: skip
_HOLD = select(members.c.id).where(members.c.id == bindparam("member")).with_for_update()


def bought(
    connection: Connection, member: int, category: str, *, since: datetime, until: datetime, last: str | None = None
) -> bool:
    """Tell whether the member bought something of the category after `since`, or the day `last`, up to `until`.

    `last` is the ISO day of the purchase that was the last one known: a later one may have been booked late.
    """
    first = NEVER if last is None else date.fromisoformat(last) + timedelta(days=1)
    bound = {"member": member, "code": category, "since": since, "until": until, "first": first}
    return connection.execute(_BOUGHT, bound).scalar_one_or_none() is not None


def took(
    connection: Connection, member: int, sku: str, *, since: datetime, until: datetime, first: str | None = None
) -> bool:
    """Tell whether the member bought this article after `since`, or on the ISO day `first` or later, up to `until`."""
    day = NEVER if first is None else date.fromisoformat(first)
    bound = {"member": member, "sku": sku, "since": since, "until": until, "first": day}
    return connection.execute(_TOOK, bound).scalar_one_or_none() is not None


def on_sale(connection: Connection, skus: Sequence[str]) -> bool:
    """Tell whether all of these articles can be bought today."""
    return int(connection.execute(_ON_SALE, {"skus": list(skus)}).scalar_one()) == len(set(skus))


def _unused(connection: Connection, member: int, waiting: Sequence[int]) -> bool:
    return bool(connection.execute(_STILL_HELD, {"waiting": list(waiting), "member": member}).scalar_one())


def lapsed(connection: Connection, row: Any, now: datetime) -> str:
    """Return why a message in the outbox must not go out any more, or nothing when it may.

    Only what was pushed can lapse: what a member asked for is theirs. `row` needs id, kind, member_id, campaign,
    content and created_at; content's `personal`, `until_bought` (a category, `last` bought on that day), `until_took`
    (an article, not bought from the day `first` on), `needs` (articles on sale) and `until_used` (coupons) say what it
    rests on. A member with a budget is held: no two messages that leave at once take its last place both.
    """
    if row.kind not in PUSHED or row.member_id is None:
        return ""
    wants = connection.execute(_WANTS, {"member": row.member_id}).one()
    if wants.state != "active":
        return "会员已合并或注销"
    if wants.leaving:
        return "会员正在注销"
    if not consent.may_market(connection, row.member_id, row.campaign, row.kind):
        return "会员已退订"
    if row.content.get("personal") and not wants.personalised:
        return "会员选择了不要个性化"
    category = row.content.get("until_bought")
    if (waiting := row.content.get("until_used")) and not _unused(connection, row.member_id, waiting):
        return "券已经用了"
    times = {"since": row.created_at, "until": now}
    if category and bought(connection, row.member_id, category, **times, last=row.content.get("last")):
        return "会员已经买了"
    if (needs := row.content.get("needs")) and not on_sale(connection, needs):
        return "商品已下架"
    article = row.content.get("until_took")
    if article and took(connection, row.member_id, article, **times, first=row.content.get("first")):
        return "会员已经买了"
    if wants.attention is not None and _spent(connection, row, wants.attention, now):
        return "会员设定的条数已满"
    return ""


def _spent(connection: Connection, row: Any, most: int, now: datetime) -> bool:
    connection.execute(_HOLD, {"member": row.member_id})
    return attention.left(connection, row.member_id, now, but=row.id) >= most
