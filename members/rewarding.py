"""What a purchase brings the member: points, gifts and perhaps a tier. The member is held by the caller."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, bindparam, func, select

from members import earning, gifts, points, referrals, tiers
from members.audit import Actor
from members.buyers import Held
from members.earning import EarnFacts, EarnLine
from members.gifts import GiftDone, OrderFacts
from members.money import yuan
from members.prepared import Prepared
from members.rules import Rules
from members.tables import Account, Entry, Movement, Order, table
from members.tiers import TierChange

orders, movements, entries, accounts = table(Order), table(Movement), table(Entry), table(Account)
_EARNED_ON = Prepared(
    select(func.coalesce(-func.sum(entries.c.amount), 0))
    .select_from(
        orders.join(movements, movements.c.order_id == orders.c.id)
        .join(entries, entries.c.movement_id == movements.c.id)
        .join(accounts, accounts.c.id == entries.c.account_id)
    )
    .where(
        orders.c.member_id == bindparam("member"), orders.c.day == bindparam("which_day"),
        movements.c.kind == "earn", accounts.c.kind == "issuer",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sale:
    """A purchase in the books, as rules look at it; amounts in 分, `brand` is the store's."""

    order: int
    total: int
    paid_balance: int
    lines: Sequence[EarnLine]
    store: str
    brand: str
    at: datetime
    day: date
    coupon_multiplier: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """What a purchase has brought: points to use now, points to mature, gifts, a new tier."""

    points: int = 0
    pending: int = 0
    gifts: Sequence[GiftDone] = ()
    tier: TierChange | None = None


NOTHING = Brought()


def earn(connection: Connection, rules: Rules, member: Held, sale: Sale, *, by: Actor, now: datetime) -> int:
    """Give the points of a purchase, once per order; return how many these are."""
    facts = EarnFacts(
        total=sale.total, at=sale.at.astimezone(rules.shop.zone), lines=sale.lines, paid_balance=sale.paid_balance,
        store=sale.store, brand=sale.brand, tier=member.tier,
        plan_multiplier=tiers.plan_multiplier(connection, rules.loyalty, member.id, now), birthday=member.birthday,
        coupon_multiplier=sale.coupon_multiplier, earned_today=_earned_on(connection, rules, member.id, sale.day),
        day=sale.day,
    )  # fmt: skip
    earned = earning.points_for(rules.loyalty, facts).points
    if earned:
        points.give(
            connection, rules, member.id, earned, key=earn_key(sale.order), kind="earn", by=by,
            reason=f"消费 {yuan(sale.total)}", now=now, order=sale.order, pending=True,
        )  # fmt: skip
    return earned


def earn_key(order: int) -> str:
    """Return the key under which the points of an order are booked."""
    return f"order:{order}:earn"


def bring(connection: Connection, rules: Rules, member: Held, sale: Sale, *, by: Actor, now: datetime) -> Brought:
    """Give points and gifts of a purchase, also to whoever brought the member, and look at the tier."""
    earned = earn(connection, rules, member, sale, by=by, now=now)
    facts = OrderFacts(sale.order, sale.total, sale.lines, sale.store, sale.brand)
    given = gifts.on_purchase(connection, rules, member.id, facts, by=by, now=now)
    given += gifts.on_total(connection, rules, member.id, facts, by=by, now=now)
    given += referrals.settle(connection, rules, member.id, order=sale.order, by=by, now=now)
    tier = tiers.review(connection, rules, member.id, by=by, now=now)
    later = rules.loyalty.earn.pending_days > 0
    return Brought(0 if later else earned, earned if later else 0, given, tier)


def bring_late(connection: Connection, rules: Rules, member: Held, sale: Sale, *, by: Actor, now: datetime) -> Brought:
    """Give the points of a purchase that was told of late, if it is not older than `adopt_days`; no gifts."""
    young = sale.at >= now - timedelta(days=rules.loyalty.adopt_days)
    earned = earn(connection, rules, member, sale, by=by, now=now) if young else 0
    later = rules.loyalty.earn.pending_days > 0
    return Brought(0 if later else earned, earned if later else 0)


def _earned_on(connection: Connection, rules: Rules, member: int, day: date) -> int:
    if rules.loyalty.earn.per_day is None:
        return 0
    return int(_EARNED_ON.rows(connection, {"member": member, "which_day": day})[0][0])
