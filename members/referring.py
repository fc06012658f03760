"""Friends brought by members: both get something once the friend has spent enough, once per friend."""

from datetime import date, datetime

from sqlalchemy import Connection, bindparam, func, select

from members import granting, identity
from members.audit import Actor
from members.clock import business_date
from members.granting import GiftDone, Occasion, grants
from members.rules import Rules
from members.tables import Member, Order, table

_orders, _members = table(Order), table(Member)
_SPENT = select(func.coalesce(func.sum(_orders.c.total - _orders.c.refunded), 0)).where(
    _orders.c.member_id == bindparam("member")
)
_BROUGHT = select(grants.c.at).where(grants.c.member_id == bindparam("member"), grants.c.rule == bindparam("which"))
_ACTIVE = select(func.count()).where(_members.c.id.in_(bindparam("both", expanding=True)), _members.c.state == "active")


def referral(
    connection: Connection, rules: Rules, inviter: int, invitee: int, *, order: int | None, by: Actor, now: datetime
) -> list[GiftDone]:
    """Give inviter and invitee their gifts, once per invitee, when the invitee has spent `over`; nothing is too early.

    Past `per_month` gifts in a month of the shop the inviter gets none for this friend any more. Both members are held,
    in the order of their ids: call it in a transaction that holds neither yet, or both.
    """
    rule = rules.loyalty.referral
    if rule is None or inviter == invitee:
        return []
    for member in sorted((inviter, invitee)):
        identity.lock(connection, member)
    if connection.execute(_ACTIVE, {"both": [inviter, invitee]}).scalar_one() != 2:
        return []
    if int(connection.execute(_SPENT, {"member": invitee}).scalar_one()) < rule.over * 100:
        return []
    if not granting.note(connection, invitee, "referral", "", "friend", now=now, order=order):
        return []
    found = []
    if rule.invitee is not None:
        occasion = Occasion("invited", "once", "受邀礼", order)
        found.append(granting.give(connection, rules, invitee, rule.invitee, occasion, by=by, now=now))
    if _this_month(connection, rules, inviter, now) < rule.per_month:
        occasion = Occasion("inviting", str(invitee), "邀请好友礼", order)
        found.append(granting.give(connection, rules, inviter, rule.inviter, occasion, by=by, now=now))
    return [gift for gift in found if gift is not None]


def _this_month(connection: Connection, rules: Rules, inviter: int, now: datetime) -> int:
    """Return for how many friends the inviter was thanked in this month of the shop; the inviter is held."""
    which = granting.rule_name("inviting", rules.loyalty.referral.inviter.name if rules.loyalty.referral else "")
    times = connection.scalars(_BROUGHT, {"member": inviter, "which": which})
    month = _month(rules, now)
    return sum(_month(rules, at) == month for at in times)


def _month(rules: Rules, moment: datetime) -> date:
    return business_date(moment, rules.shop.zone, rules.shop.day_start).replace(day=1)
