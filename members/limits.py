"""Counters per key and period, raised by one conditional upsert: never read, decide, write.

PostgreSQL's insert construct compiles to the same ON CONFLICT text on SQLite, so one statement serves both. Cool-downs
and blocks live in the same table under one eternal period; their count is a second of the Unix clock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members.clock import business_date
from members.errors import MemberError
from members.tables import RateCount, table

_counts = table(RateCount)
_EVER = datetime(2000, 1, 1, tzinfo=UTC)

_RAISE = (
    upsert(_counts)
    .values(key=bindparam("k"), period=bindparam("p"), count=bindparam("many"))
    .on_conflict_do_update(
        index_elements=[_counts.c.key, _counts.c.period],
        set_={"count": _counts.c.count + bindparam("many")},
        where=_counts.c.count + bindparam("many") <= bindparam("most"),
    )
    .returning(_counts.c.count)
)
_TOUCH = (
    upsert(_counts)
    .values(key=bindparam("k"), period=bindparam("p"), count=bindparam("second"))
    .on_conflict_do_update(
        index_elements=[_counts.c.key, _counts.c.period],
        set_={"count": bindparam("second")},
        where=_counts.c.count <= bindparam("free_since"),
    )
    .returning(_counts.c.count)
)
_BLOCK = (
    upsert(_counts)
    .values(key=bindparam("k"), period=bindparam("p"), count=bindparam("second"))
    .on_conflict_do_update(
        index_elements=[_counts.c.key, _counts.c.period],
        set_={"count": bindparam("second")},
        where=_counts.c.count < bindparam("second"),
    )
)
_LOWER = (
    update(_counts)
    .where(_counts.c.key == bindparam("k"), _counts.c.period == bindparam("p"), _counts.c.count >= bindparam("many"))
    .values(count=_counts.c.count - bindparam("many"))
)
_COUNT = select(_counts.c.count).where(_counts.c.key == bindparam("k"), _counts.c.period == bindparam("p"))
_SECOND = select(func.max(_counts.c.count)).where(
    _counts.c.key.in_(bindparam("keys", expanding=True)), _counts.c.period == _EVER
)


@dataclass(frozen=True, slots=True)
class Period:
    """The stretch of time one counter counts in: [since, until)."""

    since: datetime
    until: datetime


WHOLE = Period(datetime(9999, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
"""For keys that name their own stretch of time: such a counter is never forgotten."""


def every(length: timedelta, now: datetime) -> Period:
    """Return the present period of a fixed length (whole seconds), counted from the Unix epoch."""
    seconds = int(length.total_seconds())
    start = datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, UTC)
    return Period(start, start + length)


def business_day(now: datetime, zone: ZoneInfo, day_start: time = time()) -> Period:
    """Return the shop's present day: what is limited per day or per shift starts anew when the shop's day does."""
    start = datetime.combine(business_date(now, zone, day_start), day_start, zone)
    return Period(start.astimezone(UTC), (start + timedelta(days=1)).astimezone(UTC))


def take(connection: Connection, key: str, period: Period, most: int, *, refusal: str, many: int = 1) -> None:
    """Count `many` (≥ 0) uses of `key` in a period; MemberError(refusal, most=, at=when it starts anew) past `most`."""
    bound = {"k": key, "p": period.since, "most": most, "many": many}
    if many > most or connection.execute(_RAISE, bound).scalar_one_or_none() is None:
        raise MemberError(refusal, most=most, at=period.until)


def give_back(connection: Connection, key: str, period: Period, many: int = 1) -> None:
    """Take back what was counted: the deed was undone. What has been forgotten since counts for nothing."""
    connection.execute(_LOWER, {"k": key, "p": period.since, "many": many})


def count(connection: Connection, key: str, period: Period) -> int:
    """Return how much of `key` was counted in a period."""
    found = connection.execute(_COUNT, {"k": key, "p": period.since}).scalar_one_or_none()
    return 0 if found is None else int(found)


def cool_down(connection: Connection, key: str, seconds: int, *, now: datetime, refusal: str) -> None:
    """Let `key` through once in any `seconds`; MemberError(refusal, wait=seconds still to go) before that."""
    second, name = int(now.timestamp()), f"cool:{key}"
    bound = {"k": name, "p": _EVER, "second": second, "free_since": second - seconds}
    if connection.execute(_TOUCH, bound).scalar_one_or_none() is None:
        raise MemberError(refusal, wait=(_second(connection, name) or second) + seconds - second)


def warm_up(connection: Connection, key: str) -> None:
    """End a cool-down early: what it guarded has come to a good end."""
    connection.execute(delete(_counts).where(_counts.c.key == f"cool:{key}", _counts.c.period == _EVER))


def block(connection: Connection, key: str, until: datetime) -> None:
    """Block `key` until then; a block is never shortened."""
    connection.execute(_BLOCK, {"k": f"block:{key}", "p": _EVER, "second": int(until.timestamp())})


def blocked(connection: Connection, *keys: str, now: datetime) -> int:
    """Return for how many seconds more any of these keys is blocked, zero when none is."""
    until = _second(connection, *(f"block:{key}" for key in keys))
    return max((until or 0) - int(now.timestamp()), 0)


def _second(connection: Connection, *keys: str) -> int | None:
    found: int | None = connection.execute(_SECOND, {"keys": list(keys)}).scalar_one()
    return found


def forget_before(connection: Connection, moment: datetime) -> int:
    """Delete counters of periods that began, and cool-downs and blocks that ended, before `moment`; return how many."""
    ended = (_counts.c.period == _EVER) & (_counts.c.count < int(moment.timestamp()))
    old = ((_counts.c.period != _EVER) & (_counts.c.period < moment)) | ended
    return connection.execute(delete(_counts).where(old)).rowcount
