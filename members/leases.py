"""What one process at a time may do: a row says who is at it and until when that holds without a further sign.

Whoever died leaves a row that runs out. The moments are those of the real clock: a sandbox's may jump by weeks.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members.tables import Lease, table

HOLDS = timedelta(minutes=2)
leases = table(Lease)
_NEW = upsert(leases)
_TAKE = _NEW.on_conflict_do_update(
    index_elements=[leases.c.name],
    set_={name: _NEW.excluded[name] for name in ("owner", "since", "until")},
    where=(leases.c.until < bindparam("moment")) | (leases.c.owner == _NEW.excluded.owner),
).returning(leases.c.owner)
_OWN = leases.c.name == bindparam("which"), leases.c.owner == bindparam("mine")
_RENEW = update(leases).where(*_OWN).values(until=bindparam("longer"))
_RELEASE = delete(leases).where(*_OWN)
_HELD = select(leases).where(leases.c.name == bindparam("which"), leases.c.until >= bindparam("moment"))


@dataclass(frozen=True, slots=True)
class Held:
    """Who is at it; `since` is what they said when they took it."""

    name: str
    owner: str
    since: datetime
    until: datetime


def take(connection: Connection, name: str, owner: str, *, since: datetime, now: datetime) -> bool:
    """Take it unless somebody else holds it, and tell whether it is ours; of racing calls one wins."""
    row = {"name": name, "owner": owner, "since": since, "until": now + HOLDS, "moment": now}
    return connection.execute(_TAKE, row).one_or_none() is not None


def renew(connection: Connection, name: str, owner: str, *, now: datetime) -> bool:
    """Hold it for longer; False when it is no longer ours."""
    return connection.execute(_RENEW, {"which": name, "mine": owner, "longer": now + HOLDS}).rowcount == 1


def release(connection: Connection, name: str, owner: str) -> None:
    """Give it up; nothing happens when it is somebody else's."""
    connection.execute(_RELEASE, {"which": name, "mine": owner})


def held(connection: Connection, name: str, *, now: datetime) -> Held | None:
    """Return who holds it, None when nobody does."""
    row = connection.execute(_HELD, {"which": name, "moment": now}).one_or_none()
    return None if row is None else Held(*row)
