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


def promote(connection: Connection, tiers: Sequence[TierRule], *, since: date, until: date) -> int:
    """Raise every active member to the tier that the spending after `since` up to `until` reaches; return how many.

    Nobody is lowered here.
    """
    raised = 0
    for place, tier in reversed([*enumerate(tiers)][1:]):
        spent = (
            select(_orders.c.member_id)
            .where(_orders.c.day > since, _orders.c.day <= until, _orders.c.member_id.is_not(None))
            .group_by(_orders.c.member_id)
            .having(func.sum(_orders.c.total) >= tier.spend_12_months * 100)
        )
        lower = _members.c.tier.not_in([higher.name for higher in tiers[place:]])
        chosen = (_members.c.state == "active") & lower & _members.c.id.in_(spent)
        raised += connection.execute(update(_members).where(chosen).values(tier=tier.name)).rowcount
    return raised
