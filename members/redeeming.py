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


@dataclass(frozen=True, slots=True)
class Legal:
    """The coupons an order names, by template, and what they may take off it."""

    named: Sequence[Copy]
    best: Best

    @property
    def lines(self) -> Sequence[int]:
        """Return what all of them take off each line, in 分."""
        return [sum(parts) for parts in zip(*(one.lines for one in self.best.applied), strict=True)]


def legal(
    connection: Connection, vault: Vault, order: NewOrder, member: Held | None, goods: Mapping[str, Article], *,
    zone: ZoneInfo, now: datetime,
) -> Legal | None:  # fmt: skip
    """Return what the coupons of an order may do together, None when it names none; MemberError when one may not."""
    if not order.coupons:
        return None
    named = _named(connection, vault, order, member, now)
    best = _best(connection, order, named, _basket(order, goods, zone))
    if best.total and not order.discount:
        raise MemberError("order_discount_missing")
    return Legal(named, best)


def redeem(
    connection: Connection, order: NewOrder, number: int, using: Legal | None, *, by: Actor, now: datetime
) -> Used:
    """Redeem the coupons of an order, or none of them.

    Where the till gives less than the coupons would take off, they share what it gives. A till that tells of a sale a
    few minutes late is believed that the coupon was good then.
    """
    if using is None:
        return Used()
    named, best = using.named, using.best
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


def _best(connection: Connection, order: NewOrder, named: Sequence[Copy], basket: Basket) -> Best:
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
