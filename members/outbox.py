"""The intent to send, written in the same transaction as what caused it; delivery happens elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members.tables import Delivery, Outbox, table

outbox, deliveries = table(Outbox), table(Delivery)
_PUT = upsert(outbox).on_conflict_do_nothing().returning(outbox.c.id)
_PENDING_FOR = (
    select(outbox.c.id, outbox.c.member_id, outbox.c.openid, outbox.c.content, outbox.c.channels)
    .where(
        outbox.c.state == "pending",
        outbox.c.not_before <= bindparam("moment"),
        outbox.c.expires_at > bindparam("moment"),
        outbox.c.kind != "code",
        or_(
            outbox.c.member_id.in_(bindparam("of_members", expanding=True)),
            outbox.c.openid.in_(bindparam("of_openids", expanding=True)),
        ),
    )
    .order_by(outbox.c.id)
)
_DUE = (
    select(outbox)
    .where(
        outbox.c.state.in_(("pending", "claimed")),
        outbox.c.not_before <= bindparam("moment"),
        or_(outbox.c.state == "pending", outbox.c.lease_until < bindparam("moment")),
    )
    .order_by(outbox.c.not_before, outbox.c.id)
    .limit(bindparam("many"))
)
_CLAIM = (
    update(outbox)
    .where(
        outbox.c.id == bindparam("row"),
        or_(outbox.c.state == "pending", (outbox.c.state == "claimed") & (outbox.c.lease_until < bindparam("moment"))),
    )
    .values(state="claimed", lease_until=bindparam("until"), attempts=outbox.c.attempts + 1)
)
_FINISH = (
    update(outbox)
    .where(outbox.c.id == bindparam("row"), outbox.c.state.in_(("claimed", "pending")))
    .values(state=bindparam("final"), channel=bindparam("by"), note=bindparam("why"), lease_until=None, sealed=None)
)
_DEFER = (
    update(outbox)
    .where(outbox.c.id == bindparam("row"), outbox.c.state == "claimed")
    .values(state="pending", not_before=bindparam("later"), note=bindparam("why"), lease_until=None)
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


def waiting(
    connection: Connection, members: Sequence[int], openids: Sequence[str], now: datetime
) -> list[Row[int, int | None, str | None, Any, Any]]:
    """Return what waits for these people's next message, oldest first."""
    bound = {"of_members": list(members), "of_openids": list(openids), "moment": now}
    return [row for row in connection.execute(_PENDING_FOR, bound) if "next_reply" in row.channels]


def claim_due(connection: Connection, now: datetime, *, many: int, lease: timedelta) -> list[Row[Any]]:
    """Claim due messages for one delivery round; a row is claimed by exactly one caller until its lease ends."""
    rows = connection.execute(_DUE, {"moment": now, "many": many}).all()
    until = now + lease
    return [
        row for row in rows if connection.execute(_CLAIM, {"row": row.id, "moment": now, "until": until}).rowcount == 1
    ]


def finish(connection: Connection, row: int, state: str, *, channel: str = "", note: str = "") -> bool:
    """Close a message as sent, unknown, failed, expired or cancelled; False when it was closed already."""
    return connection.execute(_FINISH, {"row": row, "final": state, "by": channel, "why": note}).rowcount == 1


def defer(connection: Connection, row: int, later: datetime, note: str) -> None:
    """Give a claimed message back, to be looked at again not before `later`."""
    connection.execute(_DEFER, {"row": row, "later": later, "why": note})


def record(
    connection: Connection, row: int, attempt: int, channel: str, outcome: str, *, now: datetime, errcode: str = "",
    message_id: str = "",
) -> None:  # fmt: skip
    """Write down one attempt and the platform's answer."""
    fields = {
        "outbox_id": row, "attempt": attempt, "channel": channel, "at": now, "outcome": outcome,
        "errcode": errcode, "message_id": message_id, "finished": "",
    }  # fmt: skip
    connection.execute(insert(deliveries), fields)


def confirm(connection: Connection, message_id: str, status: str) -> int:
    """Write the platform's finish event to the attempt it belongs to."""
    mine = (deliveries.c.message_id == message_id) & (deliveries.c.message_id != "")
    return connection.execute(update(deliveries).where(mine).values(finished=status)).rowcount


def cancel(connection: Connection, member: int, *, kind: str, note: str, topic: str | None = None) -> int:
    """Cancel what is still pending of a kind (and topic) for a member."""
    chosen = (outbox.c.member_id == member) & (outbox.c.kind == kind) & (outbox.c.state == "pending")
    if topic is not None:
        chosen &= outbox.c.topic == topic
    return connection.execute(update(outbox).where(chosen).values(state="cancelled", note=note)).rowcount
