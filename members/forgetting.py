"""Erasure carried out: the person goes, the books stay.

Value ends by entries of the ledger, coupons become void, identities end and lose what they said, the member's data key
is destroyed, and with it every field that was sealed under it (PIPL art. 47; the books themselves must be kept by
accounting law). Members who were merged into this one are the same person and go with them. Orders, entries, the hash
chain and the audit trail stay, under a number that leads to nobody. Callbacks go in their own time: privacy.keep_inbox.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, Table, bindparam, cast, delete, literal, select, update

from members import audit, coupons, erasing, ledger
from members.audit import Actor
from members.errors import MemberError
from members.identity import lock
from members.ledger import LOT_KINDS, Booking, Leg
from members.tables import (
    Arrival,
    Audience,
    Child,
    Conversation,
    Coupon,
    Decision,
    ExportLink,
    Follower,
    Handoff,
    Identity,
    Invitation,
    Member,
    MemberKey,
    MemberScore,
    MemberTag,
    Merge,
    Order,
    Outbox,
    PaidMembership,
    StaffTask,
    Verification,
    table,
)

REASON = "会员注销"
members, identities, copies = table(Member), table(Identity), table(Coupon)
outbox, followers, merges = table(Outbox), table(Follower), table(Merge)
GONE: tuple[Table, ...] = tuple(
    table(kind) for kind in (Child, MemberTag, MemberKey, MemberScore, ExportLink, Invitation)
)
BLANKED: tuple[tuple[Table, Mapping[str, Any]], ...] = (
    (table(Decision), {"reason": "", "trace": {}}),
    (table(Audience), {"text": "", "reason": "", "trace": {}}),
    (table(StaffTask), {"text": "", "result": ""}),
    (table(Order), {"buyer": ""}),
    (copies, {"reason": ""}),
)
_OPENIDS = (
    select(identities.c.value)
    .where(identities.c.member_id.in_(bindparam("of", expanding=True)), identities.c.kind == "openid")
    .distinct()
)
_OPEN_LOTS = (
    select(ledger.lots.c.id, ledger.lots.c.account, ledger.lots.c.remaining)
    .where(ledger.lots.c.member_id == bindparam("member"), ledger.lots.c.remaining > 0)
    .order_by(ledger.lots.c.id)
)
_OPEN_COUPONS = (
    select(copies.c.id)
    .where(copies.c.member_id == bindparam("member"), copies.c.state.in_(("issued", "locked")))
    .order_by(copies.c.template, copies.c.id)
)


def forget(connection: Connection, erasure: int, member: int, *, by: Actor, now: datetime) -> dict[str, int] | None:
    """Carry out a waiting erasure, all of it or nothing; return what ended, None when it was withdrawn or done.

    MemberError erase_principal, erase_lock, erase_approval: what it still has to wait for.
    """
    lock(connection, member)
    if hindered := erasing.hindrance(connection, member, now):
        raise MemberError(f"erase_{hindered}")
    before = {kind: amount for kind, amount in ledger.balances(connection, member).items() if amount}
    ended = _end_value(connection, erasure, member, by, now)
    if not erasing.settle(connection, erasure, ended, now):
        return None
    family = erasing.everyone(connection, member)
    _end_person(connection, family, f"erase:{erasure}", now)
    gone = {
        "state": "erased", "birthday": None, "attention": None, "home_store": None, "tier": "", "tier_since": None,
        "tier_until": None, "personalised": False,
    }  # fmt: skip
    mine = (members.c.id == member) & (members.c.state == "active")
    if connection.execute(update(members).where(mine).values(gone)).rowcount != 1:
        raise MemberError("busy")
    detail = {"erasure": erasure, "family": family, **ended}
    audit.write(connection, by, "member.erase", member, detail, now=now, before=before, after={})
    return ended


def _end_value(connection: Connection, erasure: int, member: int, by: Actor, now: datetime) -> dict[str, int]:
    """Expire the points, take the gift balance back, let debts and partners' units go, make coupons void."""
    lots = connection.execute(_OPEN_LOTS, {"member": member}).all()
    legs = [Leg(lot.account, -lot.remaining, member, lot=lot.id) for lot in lots]
    points = sum(lot.remaining for lot in lots)
    if legs:  # of the kind that refunds count as run out: nobody will owe them
        _book(connection, f"erase:{erasure}:points", "expire", [*legs, Leg("expired", points)], by, now)
    rest = {kind: many for kind, many in ledger.balances(connection, member).items() if many and kind not in LOT_KINDS}
    for kind, many in sorted(rest.items()):
        other = kind if kind.startswith(erasing.WALLET) else "issuer"
        _book(connection, f"erase:{erasure}:{kind}", "erase", [Leg(kind, -many, member), Leg(other, many)], by, now)
    due = connection.scalars(_OPEN_COUPONS, {"member": member}).all()
    void = sum(coupons.void(connection, coupon, by=by.name, now=now, give_back=False) for coupon in due)
    return {"points": points, "gift": rest.get("gift", 0), "coupons": void}


def _book(connection: Connection, key: str, kind: str, legs: Sequence[Leg], by: Actor, now: datetime) -> None:
    ledger.post(connection, Booking(key, kind, by.name, now, tuple(legs), REASON, store_id=by.store))


def _end_person(connection: Connection, family: list[int], mark: str, now: datetime) -> None:
    openids = list(connection.scalars(_OPENIDS, {"of": family}))
    _end_talk(connection, family, openids, now)
    mine = identities.c.member_id.in_(family)
    still = mine & identities.c.ended_at.is_(None)
    connection.execute(update(identities).where(still).values(ended_at=now, ended_by=mark))
    said = {"sealed": None, "value": literal("erased:") + cast(identities.c.id, String), "scope": ""}
    connection.execute(update(identities).where(mine).values(said))
    for rows in GONE:
        connection.execute(delete(rows).where(rows.c.member_id.in_(family)))
    for rows, blank in BLANKED:
        connection.execute(update(rows).where(rows.c.member_id.in_(family)).values(dict(blank)))
    tasks, plans = table(StaffTask), table(PaidMembership)
    open_tasks = tasks.c.member_id.in_(family) & (tasks.c.state == "open")
    connection.execute(update(tasks).where(open_tasks).values(state="dropped", done_at=now))
    running = plans.c.member_id.in_(family) & plans.c.ended_at.is_(None) & (plans.c.until > now)
    connection.execute(update(plans).where(running).values(ended_at=now))
    connection.execute(update(members).where(members.c.id.in_(family)).values(birthday=None, attention=None))
    told = merges.c.source_id.in_(family) | merges.c.target_id.in_(family)
    connection.execute(update(merges).where(told).values(reason=""))


def _end_talk(connection: Connection, family: list[int], openids: list[str], now: datetime) -> None:
    """Stop what waits to be said, blank what was said, and forget where the talk stood and whence they came."""
    theirs = outbox.c.member_id.in_(family)
    private = outbox.c.member_id.is_(None) & outbox.c.openid.in_(openids) & outbox.c.kind.in_(("code", "late_reply"))
    waits = (theirs | private) & (outbox.c.state == "pending")
    connection.execute(update(outbox).where(waits).values(state="cancelled", note=REASON, lease_until=None))
    settled = (theirs | private) & outbox.c.state.not_in(("pending", "claimed"))
    named = settled & outbox.c.openid.is_not(None)  # the keys of notices name the openid
    key = literal("erased:") + cast(outbox.c.id, String)
    connection.execute(update(outbox).where(named).values(key=key))
    connection.execute(update(outbox).where(settled).values(content={}, sealed=None, reason="", openid=None))
    conversations, codes, arrivals = table(Conversation), table(Verification), table(Arrival)
    connection.execute(delete(conversations).where(conversations.c.openid.in_(openids)))
    connection.execute(delete(codes).where(codes.c.openid.in_(openids)))
    came = arrivals.c.member_id.in_(family) | arrivals.c.openid.in_(openids)
    connection.execute(update(arrivals).where(came).values(openid=None))
    handoffs = table(Handoff)
    helped = handoffs.c.member_id.in_(family) | handoffs.c.openid.in_(openids)
    connection.execute(update(handoffs).where(helped & handoffs.c.ended_at.is_(None)).values(ended_at=now))
    connection.execute(update(handoffs).where(helped).values(openid=None))
    place = {"near_store": None, "near_at": None, "scene": "", "paused_until": None}
    connection.execute(update(followers).where(followers.c.openid.in_(openids)).values(place))
