"""The intent to send, written in the same transaction as what caused it; delivery happens elsewhere.

A pending message whose `lease_until` lies ahead is parked: delivery has found no way open and looks again then. What is
parked still leaves with the member's next message, which also ends the parking, because it opens a window.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members.lapsing import lapsed
from members.prepared import Prepared, among
from members.tables import Delivery, Outbox, table

REPLY = "next_reply"
URGENT = ("code", "late_reply")
outbox, deliveries = table(Outbox), table(Delivery)
_PUT = upsert(outbox).on_conflict_do_nothing().returning(outbox.c.id)
_PENDING_FOR = (
    select(
        outbox.c.id, outbox.c.member_id, outbox.c.openid, outbox.c.content, outbox.c.channels, outbox.c.kind,
        outbox.c.campaign, outbox.c.reason, outbox.c.created_at, outbox.c.lease_until,
    )
    .where(
        (outbox.c.state + "") == "pending",  # or SQLite would go through all that is pending for every message
        outbox.c.not_before <= bindparam("moment"),
        outbox.c.expires_at > bindparam("moment"),
        outbox.c.kind != "code",
        or_(
            among(outbox.c.member_id, "of_members"),
            among(outbox.c.openid, "of_openids"),
        ),
    )
    .order_by(outbox.c.id)
)  # fmt: skip
_ANYTHING_PENDING = Prepared(_PENDING_FOR.with_only_columns(outbox.c.id))
_FREE = or_(outbox.c.lease_until.is_(None), outbox.c.lease_until <= bindparam("moment"))
_DUE = (
    select(outbox)
    .where(outbox.c.state.in_(("pending", "claimed")), _FREE, outbox.c.not_before <= bindparam("moment"))
    .order_by(case((outbox.c.kind.in_(URGENT), 0), else_=1), outbox.c.not_before, outbox.c.id)
    .limit(bindparam("many"))
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    update(outbox)
    .where(outbox.c.id == bindparam("row"), outbox.c.state.in_(("pending", "claimed")), _FREE)
    .values(state="claimed", lease_until=bindparam("until"))
)
_FINISH = (
    update(outbox)
    .where(outbox.c.id == bindparam("row"), outbox.c.state.in_(("claimed", "pending")))
    .values(state=bindparam("final"), channel=bindparam("by"), note=bindparam("why"), lease_until=None, sealed=None)
)
_HAND_OVER = (
    update(outbox)
    .where(outbox.c.id == bindparam("row"), outbox.c.state == "pending")
    .values(state="sent", channel=REPLY, note="", lease_until=None, attempts=outbox.c.attempts + 1)
    .returning(outbox.c.attempts)
)
_DEFER = (
    update(outbox)
    .where(outbox.c.id == bindparam("row"), outbox.c.state == "claimed")
    .values(state="pending", lease_until=bindparam("later"), note=bindparam("why"))
)
_HOLD = (
    update(outbox)
    .where(outbox.c.id == bindparam("row"), outbox.c.state == "claimed", outbox.c.lease_until == bindparam("until"))
    .values(state="claimed")
)
_UNPARK = (
    update(outbox)
    .where(outbox.c.id.in_(bindparam("rows", expanding=True)), outbox.c.state == "pending")
    .values(lease_until=None)
)
_COUNT_ATTEMPT = (
    update(outbox)
    .where(outbox.c.id == bindparam("row"))
    .values(attempts=outbox.c.attempts + 1)
    .returning(outbox.c.attempts)
)
_BEGUN = (
    select(deliveries.c.id, deliveries.c.channel, deliveries.c.at)
    .where(deliveries.c.outbox_id == bindparam("row"), deliveries.c.outcome == "sending")
    .order_by(deliveries.c.id.desc())
    .limit(1)
)
_FIRST_AT = select(func.min(deliveries.c.at)).where(
    deliveries.c.outbox_id == bindparam("row"), deliveries.c.channel == bindparam("by")
)
_REFUSED_BY = (
    select(deliveries.c.channel, deliveries.c.errcode)
    .where(deliveries.c.outbox_id == bindparam("row"), deliveries.c.outcome == "refused")
    .order_by(deliveries.c.id)
)
_ATTEMPTS = select(outbox.c.attempts).where(outbox.c.id == bindparam("row"))
_CONFIRM = Prepared(
    update(deliveries).where(deliveries.c.message_id == bindparam("platform_id")).values(finished=bindparam("status"))
)
_SETTLE = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("attempt_id"), deliveries.c.outcome == "sending")
    .values(outcome=bindparam("end"), errcode=bindparam("code"), message_id=bindparam("platform_id"))
)


@dataclass(frozen=True, slots=True)
class Message:
    """What to send, to whom, why, by which channels in order of preference, from when until when."""

    key: str
    kind: str
    channels: Sequence[str]
    content: Mapping[str, Any]
    reason: str
    not_before: datetime
    expires_at: datetime
    topic: str = ""
    member: int | None = None
    openid: str | None = None
    campaign: str = ""
    decision: int | None = None
    sealed: bytes | None = None


def put(connection: Connection, message: Message, *, now: datetime) -> int | None:
    """Put one message in the outbox, once per key; return its id, or None when it was there already."""
    row = {
        "key": message.key, "kind": message.kind, "topic": message.topic, "member_id": message.member,
        "openid": message.openid, "campaign": message.campaign, "decision_id": message.decision,
        "channels": list(message.channels), "content": dict(message.content), "sealed": message.sealed,
        "reason": message.reason, "created_at": now, "not_before": message.not_before,
        "expires_at": message.expires_at, "state": "pending", "channel": "", "attempts": 0, "note": "",
    }  # fmt: skip
    found = connection.execute(_PUT, row).scalar_one_or_none()
    return None if found is None else int(found)


def waiting(connection: Connection, members: Sequence[int], openids: Sequence[str], now: datetime) -> list[Any]:
    """Return what may leave with these people's next message, oldest first; hand it over with `hand_over`.

    What they refused or what a purchase has overtaken is cancelled here, and what was parked for a window is free again
    for delivery, because their message opened one.
    """
    bound = {"of_members": list(members), "of_openids": list(openids), "moment": now}
    if not _ANYTHING_PENDING.rows(connection, bound):
        return []
    found = connection.execute(_PENDING_FOR, bound).all()
    wanted: list[Any] = []
    for row in found:
        if note := lapsed(connection, row, now):
            finish(connection, row.id, "cancelled", note=note)
        else:
            wanted.append(row)
    if parked := [row.id for row in wanted if row.lease_until is not None]:
        connection.execute(_UNPARK, {"rows": parked})
    return [row for row in wanted if REPLY in row.channels]


def hand_over(connection: Connection, row: int, now: datetime) -> bool:
    """Close a waiting message as sent with the reply that carries it; False when delivery has taken it meanwhile."""
    attempt = connection.execute(_HAND_OVER, {"row": row}).scalar_one_or_none()
    if attempt is not None:
        record(connection, row, attempt, REPLY, "accepted", now=now)
    return attempt is not None


def claim_due(connection: Connection, now: datetime, *, many: int, lease: timedelta) -> list[Row[Any]]:
    """Claim due messages for one delivery round, codes first; a row is one caller's until its lease ends."""
    rows = connection.execute(_DUE, {"moment": now, "many": many}).all()
    until = now + lease
    return [
        row for row in rows if connection.execute(_CLAIM, {"row": row.id, "moment": now, "until": until}).rowcount == 1
    ]


def hold(connection: Connection, row: int, until: datetime) -> bool:
    """Keep others from a claimed message for this transaction; False when the claim `until` then was lost meanwhile."""
    return connection.execute(_HOLD, {"row": row, "until": until}).rowcount == 1


def finish(connection: Connection, row: int, state: str, *, channel: str = "", note: str = "") -> bool:
    """Close a message as sent, unknown, failed, expired or cancelled; False when it was closed already."""
    return connection.execute(_FINISH, {"row": row, "final": state, "by": channel, "why": note}).rowcount == 1


def defer(connection: Connection, row: int, later: datetime, note: str) -> None:
    """Give a claimed message back and park it: delivery looks again at `later`, a reply may carry it any time."""
    connection.execute(_DEFER, {"row": row, "later": later, "why": note})


def begin(connection: Connection, row: int, channel: str, now: datetime) -> int:
    """Write down, before the send, that an attempt begins; return its id. What is never settled may have arrived."""
    attempt = connection.execute(_COUNT_ATTEMPT, {"row": row}).scalar_one()
    return record(connection, row, attempt, channel, "sending", now=now)


def settle(connection: Connection, attempt: int, outcome: str, *, errcode: str = "", message_id: str = "") -> bool:
    """Write the platform's answer to an attempt that began; False when somebody settled it before."""
    bound = {"attempt_id": attempt, "end": outcome, "code": errcode, "platform_id": message_id}
    return connection.execute(_SETTLE, bound).rowcount == 1


def begun(connection: Connection, row: int) -> Row[int, str, datetime] | None:
    """Return the attempt (id, channel, at) that a claimed message was left in by a worker that died."""
    return connection.execute(_BEGUN, {"row": row}).one_or_none()


def first_attempt(connection: Connection, row: int, channel: str) -> datetime | None:
    """Return when a message was first attempted by a channel."""
    found: datetime | None = connection.execute(_FIRST_AT, {"row": row, "by": channel}).scalar_one()
    return found


def refused_by(connection: Connection, row: int) -> dict[str, str]:
    """Return {channel: errcode} of the newest refusal by each channel."""
    return {found.channel: found.errcode for found in connection.execute(_REFUSED_BY, {"row": row})}


def attempts(connection: Connection, row: int) -> int:
    """Return how often a message was attempted."""
    return int(connection.execute(_ATTEMPTS, {"row": row}).scalar_one())


def record(
    connection: Connection, row: int, attempt: int, channel: str, outcome: str, *, now: datetime, errcode: str = "",
    message_id: str = "",
) -> int:  # fmt: skip
    """Write down one attempt and the platform's answer; return its id."""
    fields = {
        "outbox_id": row, "attempt": attempt, "channel": channel, "at": now, "outcome": outcome,
        "errcode": errcode, "message_id": message_id, "finished": "",
    }  # fmt: skip
    return int(connection.execute(insert(deliveries).returning(deliveries.c.id), fields).scalar_one())


def confirm(connection: Connection, fates: Sequence[tuple[str, str]]) -> None:
    """Write (platform's message id, status) of finish events to the attempts they belong to, all in one go."""
    known = [{"platform_id": number, "status": status} for number, status in sorted(fates) if number]
    if known:
        _CONFIRM.many(connection, known)


def withdraw(connection: Connection, key: str, *, note: str) -> bool:
    """Cancel one message that has not left yet; False when it has, or never was."""
    mine = (outbox.c.key == key) & (outbox.c.state == "pending")
    return connection.execute(update(outbox).where(mine).values(state="cancelled", note=note)).rowcount == 1


def cancel(
    connection: Connection, member: int, *, kind: str, note: str, topic: str | None = None, campaign: str | None = None
) -> int:
    """Cancel what is still pending of a kind (and topic, and campaign) for a member."""
    chosen = (outbox.c.member_id == member) & (outbox.c.kind == kind) & (outbox.c.state == "pending")
    if topic is not None:
        chosen &= outbox.c.topic == topic
    if campaign is not None:
        chosen &= outbox.c.campaign == campaign
    return connection.execute(update(outbox).where(chosen).values(state="cancelled", note=note)).rowcount
