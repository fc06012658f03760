"""Tiers: which one a member holds, and which one the spending of the last twelve months deserves."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection, bindparam, func, select, update

from members.rules import TierRule
from members.tables import Member, Order, table

_members, _orders = table(Member), table(Order)
_TIER = select(_members.c.tier).where(_members.c.id == bindparam("member"))


def of_member(connection: Connection, member: int) -> str:
    """Return the name of the member's tier."""
    return str(connection.execute(_TIER, {"member": member}).scalar_one())


def deserved(tiers: Sequence[TierRule], spent: int) -> TierRule:
    """Return the highest tier whose threshold `spent` 分 reaches."""
    return [tier for tier in tiers if spent >= tier.spend_12_months * 100][-1]


def refresh(connection: Connection, tiers: Sequence[TierRule], *, since: date, until: date) -> None:
    """Give every active member the highest tier that the spending after `since` up to `until` reaches."""
    for tier in tiers:
        chosen = _members.c.state == "active"
        if tier.spend_12_months:
            spent = (
                select(_orders.c.member_id)
                .where(_orders.c.day > since, _orders.c.day <= until, _orders.c.member_id.is_not(None))
                .group_by(_orders.c.member_id)
                .having(func.sum(_orders.c.total) >= tier.spend_12_months * 100)
            )
            chosen &= _members.c.id.in_(spent)
        connection.execute(update(_members).where(chosen).values(tier=tier.name))
