"""Friends brought by members: both get something once the friend has spent enough, once per friend."""

from datetime import date, datetime

from sqlalchemy import Connection, bindparam, func, select

from members import granting, identity
from members.audit import Actor
from members.clock import business_date
from members.granting import GiftDone, Occasion, grant_key, grants
from members.rules import ReferralRule, Rules
from members.tables import Member, Order, table

_orders, _members = table(Order), table(Member)
_SPENT = select(func.coalesce(func.sum(_orders.c.total - _orders.c.refunded), 0)).where(
    _orders.c.member_id == bindparam("member")
)
_BROUGHT = (
    select(grants.c.at)
    .select_from(granting.WITH_COUPON)
    .where(grants.c.member_id == bindparam("member"), grants.c.rule == bindparam("which"), granting.STANDS)
)
_ACTIVE = select(func.count()).where(_members.c.id.in_(bindparam("both", expanding=True)), _members.c.state == "active")


def referral(
    connection: Connection, rules: Rules, inviter: int, invitee: int, *, order: int | None, by: Actor, now: datetime,
    again: int = 0,
) -> list[GiftDone]:  # fmt: skip
    """Give inviter and invitee their gifts, once per invitee, when the invitee has spent `over`; nothing is too early.

    `again`: how often it was given and wholly taken back before. Past `per_month` gifts that stand in a month of the
    shop the inviter gets none for this friend any more. Both members are held, in the order of their ids: call it in a
    transaction that holds neither yet, or both.
    """
    rule = rules.loyalty.referral
    if rule is None or inviter == invitee:
        return []
    for member in sorted((inviter, invitee)):
        identity.lock(connection, member)
    if not both_active(connection, inviter, invitee) or spent(connection, invitee) < rule.over * 100:
        return []
    if not granting.note(connection, invitee, "referral", "", _nth("friend", again), now=now, order=order):
        return []
    found = []
    if rule.invitee is not None:
        occasion = Occasion("invited", _nth("once", again), "受邀礼", order)
        found.append(granting.give(connection, rules, invitee, rule.invitee, occasion, by=by, now=now))
    if _this_month(connection, rules, inviter, now) < rule.per_month:
        occasion = Occasion("inviting", _nth(str(invitee), again), "邀请好友礼", order)
        found.append(granting.give(connection, rules, inviter, rule.inviter, occasion, by=by, now=now))
    return [gift for gift in found if gift is not None]


def keys(rule: ReferralRule, inviter: int, invitee: int, *, again: int) -> list[str]:
    """Return under which keys the gifts of a referral were given."""
    theirs = [grant_key("inviting", rule.inviter.name, inviter, _nth(str(invitee), again))]
    if rule.invitee is not None:
        theirs.append(grant_key("invited", rule.invitee.name, invitee, _nth("once", again)))
    return theirs


def _nth(occasion: str, again: int) -> str:
    return f"{occasion}-{again}" if again else occasion


def spent(connection: Connection, member: int) -> int:
    """Return what a member has spent and not got back, in 分."""
    return int(connection.execute(_SPENT, {"member": member}).scalar_one())


def both_active(connection: Connection, one: int, other: int) -> bool:
    """Tell whether both are members still."""
    return bool(connection.execute(_ACTIVE, {"both": [one, other]}).scalar_one() == 2)


def _this_month(connection: Connection, rules: Rules, inviter: int, now: datetime) -> int:
    """Return for how many friends the inviter was thanked in this month of the shop; the inviter is held."""
    which = granting.rule_name("inviting", rules.loyalty.referral.inviter.name if rules.loyalty.referral else "")
    times = connection.scalars(_BROUGHT, {"member": inviter, "which": which})
    month = _month(rules, now)
    return sum(_month(rules, at) == month for at in times)


def _month(rules: Rules, moment: datetime) -> date:
    return business_date(moment, rules.shop.zone, rules.shop.day_start).replace(day=1)
