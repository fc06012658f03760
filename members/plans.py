"""Plans that are bought: a membership for a time, extended by buying it again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, bindparam, exists, insert, select, update

from members import audit, identity
from members.audit import Actor
from members.clock import business_date, end_of_day
from members.errors import MemberError
from members.rules import LoyaltyRules, PaidPlan, Rules
from members.tables import PaidMembership, table

_bought = table(PaidMembership)
_later = _bought.alias("later")
_BY_KEY = select(_bought.c.until).where(_bought.c.key == bindparam("buy_key"))
_BOUGHT = select(_bought).where(_bought.c.key == bindparam("buy_key"))
_END = (
    update(_bought)
    .where(
        _bought.c.id == bindparam("which"), _bought.c.member_id == bindparam("whose"), _bought.c.ended_at.is_(None),
        ~exists().where(
            _later.c.member_id == _bought.c.member_id, _later.c.plan == _bought.c.plan,
            _later.c.ended_at.is_(None), _later.c.since >= _bought.c.until,
        ),
    )
    .values(ended_at=bindparam("moment"))
)  # fmt: skip
_OPEN = (
    select(_bought.c.plan, _bought.c.since, _bought.c.until)
    .where(
        _bought.c.member_id == bindparam("member"), _bought.c.ended_at.is_(None), _bought.c.until > bindparam("moment")
    )
    .order_by(_bought.c.id.desc())
)


@dataclass(frozen=True, slots=True)
class PlanHeld:
    """A plan the member holds now, and the instant it ends, extensions included."""

    name: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Bought:
    """One purchase of a plan: `price` in 分, good in [since, until)."""

    id: int
    plan: str
    price: int
    since: datetime
    until: datetime


def plan_of(connection: Connection, member: int, now: datetime) -> PlanHeld | None:
    """Return the plan in force; of several that overlap the one bought last."""
    rows = connection.execute(_OPEN, {"member": member, "moment": now}).all()
    name = next((row.plan for row in rows if row.since <= now), None)
    return None if name is None else PlanHeld(name, max(row.until for row in rows if row.plan == name))


def rule_of(connection: Connection, loyalty: LoyaltyRules, member: int, now: datetime) -> PaidPlan | None:
    """Return the rule of the plan in force, None when there is none or it has left config.yaml."""
    held = plan_of(connection, member, now) if loyalty.paid else None
    return None if held is None else loyalty.plan(held.name)


def plan_multiplier(connection: Connection, loyalty: LoyaltyRules, member: int, now: datetime) -> Decimal | None:
    """Return the multiplier of the plan in force: what `EarnFacts.plan_multiplier` asks for."""
    rule = rule_of(connection, loyalty, member, now)
    return None if rule is None else rule.earn_multiplier


def buy(
    connection: Connection, rules: Rules, member: int, plan: str, *, key: str, by: Actor, now: datetime
) -> datetime:
    """Buy a plan once per `key`, or extend it from where it ends; return when it ends then.

    The plan is good through its last business day. Taking the money is the caller's. MemberError('plan_unknown').
    """
    rule = rules.loyalty.plan(plan)
    if rule is None:
        raise MemberError("plan_unknown", plan=plan)
    identity.lock(connection, member)
    known: datetime | None = connection.execute(_BY_KEY, {"buy_key": key}).scalar_one_or_none()
    if known is not None:
        return known
    rows = connection.execute(_OPEN, {"member": member, "moment": now}).all()
    held = max((row.until for row in rows if row.plan == plan), default=None)
    shop = rules.shop
    last = business_date(now, shop.zone, shop.day_start) if held is None else business_date(_before(held), shop.zone)
    until = end_of_day(rule.valid.after(last), shop.zone)
    row = {
        "key": key, "member_id": member, "plan": plan, "price": rule.price * 100, "since": held or now, "until": until,
        "by": by.name, "ended_at": None,
    }  # fmt: skip
    connection.execute(insert(_bought), row)
    audit.write(
        connection, by, "paid.buy", member, {"plan": plan, "price": rule.price * 100, "key": key}, now=now,
        before={"until": None if held is None else held.isoformat()}, after={"until": until.isoformat()},
    )  # fmt: skip
    return until


def bought(connection: Connection, key: str) -> Bought:
    """Return the purchase that was made under this key."""
    row = connection.execute(_BOUGHT, {"buy_key": key}).one()
    return Bought(row.id, row.plan, row.price, row.since, row.until)


def end(connection: Connection, purchase: int, member: int, *, by: Actor, now: datetime) -> None:
    """End a purchase at once, as if it had not been made; giving the money back is the caller's.

    MemberError('plan_not_last') where a later purchase goes on from it, it has ended, or it is another's by now.
    """
    identity.lock(connection, member)
    if connection.execute(_END, {"which": purchase, "whose": member, "moment": now}).rowcount != 1:
        raise MemberError("plan_not_last")
    audit.write(connection, by, "paid.end", member, {"purchase": purchase}, now=now)


def _before(instant: datetime) -> datetime:
    return instant - timedelta(seconds=1)
