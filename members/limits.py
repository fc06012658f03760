"""Counters per key and period, raised by one conditional upsert: never read, decide, write.

PostgreSQL's insert construct compiles to the same ON CONFLICT text on SQLite, so one statement serves both.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, delete
from sqlalchemy.dialects.postgresql import insert as upsert

from members.errors import MemberError
from members.tables import RateCount, table

_counts = table(RateCount)
_EVER = datetime(2000, 1, 1, tzinfo=UTC)

_RAISE = (
    upsert(_counts)
    .values(key=bindparam("k"), period=bindparam("p"), count=1)
    .on_conflict_do_update(
        index_elements=[_counts.c.key, _counts.c.period],
        set_={"count": _counts.c.count + 1},
        where=_counts.c.count < bindparam("most"),
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


def take(connection: Connection, key: str, period: timedelta, most: int, *, now: datetime, refusal: str) -> None:
    """Count one use of `key` in the present period of fixed length; MemberError(refusal, wait=seconds) past `most`."""
    seconds = int(period.total_seconds())
    start = int(now.timestamp()) // seconds * seconds
    bound = {"k": key, "p": datetime.fromtimestamp(start, UTC), "most": most}
    if most < 1 or connection.execute(_RAISE, bound).scalar_one_or_none() is None:
        raise MemberError(refusal, wait=start + seconds - int(now.timestamp()))


def cool_down(connection: Connection, key: str, seconds: int, *, now: datetime, refusal: str) -> None:
    """Let `key` through once in any `seconds`; MemberError(refusal, wait=seconds) before that."""
    second = int(now.timestamp())
    bound = {"k": f"cool:{key}", "p": _EVER, "second": second, "free_since": second - seconds}
    if connection.execute(_TOUCH, bound).scalar_one_or_none() is None:
        raise MemberError(refusal, wait=seconds)


def forget_before(connection: Connection, moment: datetime) -> int:
    """Delete counters of periods that began before `moment`, cool-downs excepted; return how many."""
    old = (_counts.c.period < moment) & (_counts.c.period != _EVER)
    return connection.execute(delete(_counts).where(old)).rowcount
