"""The audit trail: who did what to whom, when; written in the transaction of the deed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, func, insert, select

from members.tables import AuditLog, table

_log = table(AuditLog)
_WRITE = insert(_log)
_COUNTS = (
    select(_log.c.action, func.count().label("times"))
    .where(_log.c.actor == bindparam("who"), _log.c.at >= bindparam("since"), _log.c.at < bindparam("until"))
    .group_by(_log.c.action)
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: `name` as the books write it, the store they serve, where it came from, on whose approval."""

    name: str
    store: str | None = None
    origin: str = ""
    approved_by: str = ""


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
