"""Coupons used on an order: together they must be legal for what is bought; each takes its share of the discount."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from members import coupons, discounts
from members.allotment import shares
from members.audit import Actor
from members.buyers import Held
from members.coupons import Copy, Redeemed
from members.discounts import Basket, Best
from members.errors import MemberError
from members.money import yuan
from members.products import Article
from members.sales import NewLine, NewOrder
from members.vault import Vault

LATE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Used:
    """The coupons an order has used, and the highest multiplier of points among them."""

    coupons: Sequence[Redeemed] = ()
    multiplier: Decimal | None = None


def redeem(
    connection: Connection, vault: Vault, order: NewOrder, number: int, member: Held | None,
    goods: Mapping[str, Article], *, zone: ZoneInfo, by: Actor, now: datetime,
) -> Used:  # fmt: skip
    """Redeem the coupons an order names, or none of them: MemberError says which rule refuses.

    Where the till gives less than the coupons would take off, they share what it gives. A till that tells of a sale a
    few minutes late is believed that the coupon was good then.
    """
    if not order.coupons:
        return Used()
    named = _named(connection, vault, order, member, now)
    best = _legal(connection, order, named, _basket(order, goods, zone))
    if best.total and not order.discount:
        raise MemberError("order_discount_missing")
    parts = shares(min(best.total, order.discount), [one.discount for one in best.applied])
    taken_off = dict(zip((one.id for one in best.applied), parts, strict=True))
    then = min(now, max(order.at, now - LATE))
    done = [
        coupons.redeem(
            connection, copy.code, by=by, store=order.store, now=then, lock_key=order.lock_key, order=number,
            discount=taken_off.get(copy.id, 0),
        )
        for copy in named
    ]  # fmt: skip
    multipliers = [copy.rule.multiplier for copy in named if copy.rule.multiplier is not None]
    return Used(done, max(multipliers, default=None))


def _named(connection: Connection, vault: Vault, order: NewOrder, member: Held | None, now: datetime) -> list[Copy]:
    """Return the copies an order names, by template: two orders never wait for each other's budgets crosswise."""
    found = {copy.id: copy for copy in (coupons.find(connection, text, now=now, vault=vault) for text in order.coupons)}
    if len(found) < len(order.coupons):
        raise MemberError("order_lines")
    if member is not None and any(copy.member != member.id for copy in found.values()):
        raise MemberError("coupon_not_theirs")
    return sorted(found.values(), key=lambda copy: (copy.template, copy.id))


def _legal(connection: Connection, order: NewOrder, named: Sequence[Copy], basket: Basket) -> Best:
    held = [coupons.held(connection, copy) for copy in named]
    best = discounts.best(basket, held)
    for copy in named:
        code = best.refusals.get(copy.id)
        if code is not None:
            since = copy.rule.since.isoformat() if copy.rule.since else ""
            raise MemberError(code, title=copy.title, gap=yuan(best.gaps.get(copy.id, 0)), day=since)
    return best


def _basket(order: NewOrder, goods: Mapping[str, Article], zone: ZoneInfo) -> Basket:
    lines = [_priced(line, goods[line.sku]) for line in order.lines]
    if not order.lines:
        lines = [discounts.Line("", 1, order.total + order.discount)]
    return Basket(lines, order.store, order.at.astimezone(zone))


def _priced(line: NewLine, article: Article) -> discounts.Line:
    """Return the line at what it costs before discounts."""
    whole = line.amount + line.discount
    return discounts.Line(
        line.sku, line.quantity, whole // line.quantity, article.category, article.brand, article.category_name, whole
    )
