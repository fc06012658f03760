"""Friends whom members bring: one row for each friend for ever, with its gifts and with every refusal.

joined → rewarded, once the friend has spent enough; back to joined when refunds leave less than that and all that was
given could be taken back; refused with a reason otherwise. Whoever changes a row holds both members, in the order of
their ids, before any order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members import audit, granting, invitations, limits, merging_history, referring
from members.audit import Actor
from members.errors import MemberError
from members.granting import GiftDone, TakenBack, grants
from members.prepared import Prepared
from members.rules import Rules
from members.tables import Identity, Member, Order, Referral, Staff, table

JUST_BOUND = timedelta(hours=24)
ROUNDS = 3
CHAIN = 20
_referrals, _members, _identities, _staff = table(Referral), table(Member), table(Identity), table(Staff)
_orders = table(Order)
_PUT = upsert(_referrals).on_conflict_do_nothing(index_elements=[_referrals.c.invitee_id])
_ROW = select(_referrals).where(_referrals.c.invitee_id == bindparam("friend"))
_INVITER = Prepared(
    select(_referrals.c.inviter_id, _referrals.c.state).where(
        _referrals.c.invitee_id == bindparam("friend"), _referrals.c.state != "refused"
    )
)
_MOVE = (
    update(_referrals)
    .where(_referrals.c.invitee_id == bindparam("friend"), _referrals.c.state == bindparam("before"))
    .values(state=bindparam("after"), reason=bindparam("why"), settled_at=bindparam("moment"))
)
_HOLD = select(_members.c.id).where(_members.c.id == bindparam("member")).with_for_update()
_ONCE_BEFORE = select(_identities.c.id).where(
    _identities.c.member_id != bindparam("member"),
    or_(
        (_identities.c.kind == "phone") & (_identities.c.value == bindparam("phone")),
        (_identities.c.kind == "openid") & (_identities.c.value == bindparam("openid")),
    ),
)  # fmt: skip
_SERVES = select(_staff.c.id).where(
    _staff.c.active,
    or_(
        _staff.c.openid.in_(bindparam("known", expanding=True)),
        _staff.c.phone_index.in_(bindparam("known", expanding=True)),
    ),
)
_KNOWN_BY = select(_identities.c.value).where(
    _identities.c.member_id == bindparam("member"), _identities.c.kind.in_(("openid", "phone"))
)
_CREATED = select(_members.c.created_at).where(_members.c.id == bindparam("member"))
_BOUGHT = select(_orders.c.id).where(_orders.c.member_id == bindparam("member")).limit(1)
_ROUND = select(func.count()).where(grants.c.member_id == bindparam("member"), grants.c.rule == "referral")
_COUNTS = (
    select(_referrals.c.state, func.count())
    .where(_referrals.c.inviter_id.in_(bindparam("of", expanding=True)))
    .group_by(_referrals.c.state)
)
_LEFT = (
    select(grants.c.key)
    .select_from(granting.WITH_COUPON)
    .where(grants.c.key.in_(bindparam("keys", expanding=True)), granting.STANDS)
)


@dataclass(frozen=True, slots=True)
class Friend:
    """Who binds: `known` says that the phone was a member's before; `phone` is its blind index."""

    member: int
    openid: str
    phone: str
    known: bool


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of an invitation: its state, why it was refused, and whether it was written just now."""

    inviter: int
    state: str
    reason: str = ""
    created: bool = True


@dataclass(frozen=True, slots=True)
class Standing:
    """Whom a member has brought: how many came, and how many of them have brought the gift."""

    came: int
    rewarded: int


def join(connection: Connection, rules: Rules, friend: Friend, inviter: int, *, by: Actor, now: datetime) -> Joined:
    """Write down who brought a member, once for ever, or why that does not count: `reason` says it.

    Reasons: self (only the audit trail keeps it), old_member, came_again (the phone or the WeChat was another member's
    once), staff, mutual, burst.
    """
    for member in sorted({inviter, friend.member}):
        connection.execute(_HOLD, {"member": member})
    known = connection.execute(_ROW, {"friend": friend.member}).one_or_none()
    if known is not None:
        return Joined(known.inviter_id, known.state, known.reason, created=False)
    reason = _refused(connection, rules, friend, inviter, now)
    state = "refused" if reason else "joined"
    row = {
        "invitee_id": friend.member, "inviter_id": inviter, "at": now, "state": state, "reason": reason,
        "settled_at": now if reason else None,
    }  # fmt: skip
    if reason != "self":  # a slip of who is new must not stand in the way of a friend
        connection.execute(_PUT, row)
    audit.write(
        connection, by, "referral.join", friend.member, {"inviter": inviter, "state": state, "reason": reason}, now=now
    )
    return Joined(inviter, state, reason)


def _refused(connection: Connection, rules: Rules, friend: Friend, inviter: int, now: datetime) -> str:
    """Return why an invitation does not count, '' when it does."""
    rule = rules.loyalty.referral
    if inviter == friend.member:
        return "self"
    if friend.known:
        return "old_member"
    bound = {"member": friend.member, "phone": friend.phone, "openid": friend.openid}
    if connection.execute(_ONCE_BEFORE.limit(1), bound).first() is not None:
        return "came_again"
    known = list(connection.scalars(_KNOWN_BY, {"member": inviter}))
    if known and connection.execute(_SERVES.limit(1), {"known": known}).first() is not None:
        return "staff"
    if _brought(connection, inviter, by=friend.member):
        return "mutual"
    day = limits.business_day(now, rules.shop.zone, rules.shop.day_start)
    try:
        limits.take(connection, f"referral:{inviter}", day, rule.per_day if rule else 0, refusal="busy")
    except MemberError:
        return "burst"
    return ""


def _brought(connection: Connection, member: int, *, by: int) -> bool:
    """Tell whether a member came through `by`, straight or through others."""
    for _ in range(CHAIN):
        row = connection.execute(_ROW, {"friend": member}).one_or_none()
        if row is None or row.inviter_id == by:
            return row is not None
        member = int(row.inviter_id)
    return True


def still_new(connection: Connection, member: int, now: datetime) -> bool:
    """Tell whether a member has bound so lately, and bought nothing yet, that a code they type still counts."""
    created = connection.execute(_CREATED, {"member": member}).scalar_one()
    return now - created < JUST_BOUND and connection.execute(_BOUGHT, {"member": member}).first() is None


def hold(connection: Connection, rules: Rules, member: int | None) -> None:
    """Hold a member and whoever brought them, in the order of their ids, where an order or a refund may settle it."""
    if member is None or rules.loyalty.referral is None:
        return
    for inviter, _ in _INVITER.rows(connection, {"friend": member}):
        for one in sorted({granting.survivor(connection, int(inviter)), member}):
            connection.execute(_HOLD, {"member": one})


def settle(
    connection: Connection, rules: Rules, friend: int, *, order: int | None, by: Actor, now: datetime
) -> list[GiftDone]:
    """Give both their gifts once the friend has spent enough; nothing is too early. Both are held (`hold`)."""
    rule = rules.loyalty.referral
    if rule is None:
        return []
    waiting = [int(inviter) for inviter, state in _INVITER.rows(connection, {"friend": friend}) if state == "joined"]
    if not waiting or referring.spent(connection, friend) < rule.over * 100:
        return []
    inviter = granting.survivor(connection, waiting[0])
    if reason := _spoiled(connection, inviter, friend, now):
        _move(connection, friend, "joined", "refused", reason, now)
        return []
    number = int(connection.execute(_ROUND, {"member": friend}).scalar_one())
    if number >= ROUNDS:
        _move(connection, friend, "joined", "refused", "refunded", now)
        return []
    if not _move(connection, friend, "joined", "rewarded", "", now):
        return []
    return referring.referral(connection, rules, inviter, friend, order=order, by=by, now=now, again=number)


def _spoiled(connection: Connection, inviter: int, friend: int, now: datetime) -> str:
    """Return what has happened since that makes an invitation void: one person by a merge, or a member who left."""
    if inviter == friend:
        return "self"
    joined = connection.execute(_ROW, {"friend": friend}).one().at
    for other in merging_history.family(connection, friend):
        if other != friend and connection.execute(_CREATED, {"member": other}).scalar_one() < joined:
            return "old_member"
    return "" if referring.both_active(connection, inviter, friend) else "left"


def take_back(connection: Connection, rules: Rules, friend: int, *, by: Actor, now: datetime) -> list[TakenBack]:
    """Take back both gifts when refunds have left the friend with less than the rule asks for; both are held.

    What was wholly taken back may be earned again (a sale rung up wrong and again), ROUNDS times in all.
    """
    rule = rules.loyalty.referral
    if rule is None:
        return []
    given = [int(inviter) for inviter, state in _INVITER.rows(connection, {"friend": friend}) if state == "rewarded"]
    if not given or referring.spent(connection, friend) >= rule.over * 100:
        return []
    number = int(connection.execute(_ROUND, {"member": friend}).scalar_one()) - 1
    inviters = sorted({given[0], granting.survivor(connection, given[0])})
    keys = {key for inviter in inviters for key in referring.keys(rule, inviter, friend, again=number)}
    found = list(connection.scalars(select(grants.c.key).where(grants.c.key.in_(keys))))
    done = [granting.take_back(connection, rules, key, by=by, now=now) for key in sorted(found)]
    whole = connection.execute(_LEFT, {"keys": found}).first() is None
    _move(connection, friend, "rewarded", "joined" if whole else "refused", "refunded", now)
    return [back for back in done if back is not None]


def _move(connection: Connection, friend: int, before: str, after: str, why: str, now: datetime) -> bool:
    bound = {"friend": friend, "before": before, "after": after, "why": why, "moment": now}
    return connection.execute(_MOVE, bound).rowcount == 1


def standing(connection: Connection, member: int) -> Standing:
    """Return how many a member has brought, and those who were merged into them."""
    of = merging_history.family(connection, member)
    counted: dict[str, int] = {state: int(many) for state, many in connection.execute(_COUNTS, {"of": of})}
    rewarded = counted.get("rewarded", 0)
    return Standing(counted.get("joined", 0) + rewarded, rewarded)


def inviter_by(connection: Connection, openid: str, code: str | None, *, now: datetime) -> int | None:
    """Return who brought somebody: by the code given, else by the one they came by or typed before."""
    text = code or invitations.remembered(connection, openid, now)
    return None if text is None else invitations.inviter_of(connection, text)


def reasons() -> Sequence[str]:
    """Return every reason a refusal may have; each has its words."""
    return ("self", "old_member", "came_again", "staff", "mutual", "burst", "left", "refunded")
