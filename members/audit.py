"""The audit trail: who did what to whom, when; written in the transaction of the deed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, bindparam, func, insert, or_, select

from members.tables import AuditLog, table

_log = table(AuditLog)
_WRITE = insert(_log)
_COUNTS = (
    select(_log.c.action, func.count().label("times"))
    .where(_log.c.actor == bindparam("who"), _log.c.at >= bindparam("since"), _log.c.at < bindparam("until"))
    .group_by(_log.c.action)
)
_TRAIL = (
    select(
        _log.c.at, _log.c.actor, _log.c.action, _log.c.member_id, _log.c.store_id, _log.c.origin, _log.c.approved_by,
        _log.c.before, _log.c.after, _log.c.detail,
    )
    .order_by(_log.c.at.desc(), _log.c.id.desc())
    .limit(bindparam("many"))
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: `name` as the books write it, the store they serve, where it came from, on whose approval."""

    name: str
    store: str | None = None
    origin: str = ""
    approved_by: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """One deed as it was written: when, who, what, for whom, where, from where, on whose approval, and the figures."""

    at: datetime
    actor: str
    action: str
    member: int | None
    store: str | None
    origin: str
    approved_by: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    detail: Mapping[str, Any]


def write(
    connection: Connection, by: Actor, action: str, member: int | None, detail: Mapping[str, object], *, now: datetime,
    before: Mapping[str, object] | None = None, after: Mapping[str, object] | None = None,
) -> None:  # fmt: skip
    """Write one deed; `detail`, `before` and `after` hold ids and figures, never a phone or a name."""
    row = {
        "at": now, "actor": by.name, "action": action, "member_id": member, "store_id": by.store, "origin": by.origin,
        "approved_by": by.approved_by, "detail": dict(detail), "before": before and dict(before),
        "after": after and dict(after),
    }  # fmt: skip
    connection.execute(_WRITE, row)


def counts_on(connection: Connection, actor: str, day: date, zone: ZoneInfo, day_start: time) -> dict[str, int]:
    """Return {action: times} of an actor on one business day."""
    since = datetime.combine(day, day_start, zone)
    bound = {"who": actor, "since": since, "until": since + timedelta(days=1)}
    return {row.action: row.times for row in connection.execute(_COUNTS, bound)}


def trail_of_member(
    connection: Connection, member: int, *, also: Sequence[int] = (), since: datetime | None = None, many: int = 50
) -> list[Trace]:
    """Return what was done to a member, newest first; `also` are those who became part of them."""
    return _traces(connection, _TRAIL.where(_log.c.member_id.in_([member, *also])), since, many)


def trail_of_actor(connection: Connection, actor: str, *, since: datetime | None = None, many: int = 50) -> list[Trace]:
    """Return what an actor did or approved, newest first."""
    return _traces(connection, _TRAIL.where(or_(_log.c.actor == actor, _log.c.approved_by == actor)), since, many)


def _traces(connection: Connection, wanted: Select[Any], since: datetime | None, many: int) -> list[Trace]:
    chosen = wanted if since is None else wanted.where(_log.c.at >= since)
    return [
        Trace(
            row.at, row.actor, row.action, row.member_id, row.store_id, row.origin, row.approved_by, row.before or {},
            row.after or {}, row.detail or {},
        )
        for row in connection.execute(chosen, {"many": many})
    ]  # fmt: skip
