"""Conversations given to a person: the bot is silent until `until`, until it is called back or the person is done.

Who helps is who knows the member: the person of staff by whose code they came, else whoever serves at their home store.
What is said meanwhile is nowhere in our books.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from members import arrivals, staffing
from members.staffing import Server
from members.tables import Follower, Handoff, Member, StaffTask, table

SOURCE = "chat"
_handoffs, _followers, _members, _tasks = table(Handoff), table(Follower), table(Member), table(StaffTask)
_PAUSE = update(_followers).where(_followers.c.openid == bindparam("who")).values(paused_until=bindparam("until"))
_END = (
    update(_handoffs)
    .where(_handoffs.c.openid == bindparam("who"), _handoffs.c.ended_at.is_(None))
    .values(ended_at=bindparam("moment"), ended_by=bindparam("by"))
    .returning(_handoffs.c.id)
)
_LONGER = (
    update(_handoffs)
    .where(_handoffs.c.openid == bindparam("who"), _handoffs.c.ended_at.is_(None))
    .values(until=bindparam("later"))
)
_HOME = select(_members.c.home_store).where(_members.c.id == bindparam("whose"))
_ASKED = (
    select(_tasks.c.id)
    .where(
        _tasks.c.member_id == bindparam("whose"), _tasks.c.source == SOURCE, _tasks.c.state == "open",
        _tasks.c.text == bindparam("words"),
    )
    .limit(1)
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Helpers:
    """Who can help a member: their own adviser, the store it happens at, and everybody who should be told."""

    adviser: Server | None
    store: str | None
    told: tuple[Server, ...]


def start(
    connection: Connection, openid: str, member: int | None, *, kind: str, staff: int | None, until: datetime,
    now: datetime,
) -> int:  # fmt: skip
    """Write down that a person takes over; one that would be over at once (`until` is now) pauses nothing."""
    end(connection, openid, by="member", now=now)
    over = until <= now
    row = {
        "openid": openid, "member_id": member, "kind": kind, "staff_id": staff, "started_at": now, "until": until,
        "ended_at": now if over else None, "ended_by": "time" if over else "",
    }  # fmt: skip
    made = int(connection.execute(insert(_handoffs).returning(_handoffs.c.id), row).scalar_one())
    if not over:
        connection.execute(_PAUSE, {"who": openid, "until": until})
    return made


def extend(connection: Connection, openid: str, until: datetime) -> bool:
    """Let a handoff that is under way last until then; False when there is none."""
    if connection.execute(_LONGER, {"who": openid, "later": until}).rowcount == 0:
        return False
    connection.execute(_PAUSE, {"who": openid, "until": until})
    return True


def end(connection: Connection, openid: str, *, by: str, now: datetime) -> int | None:
    """End the handoff under way (`by` member, staff or time); return its id, None when there was none."""
    ended = connection.execute(_END, {"who": openid, "moment": now, "by": by}).scalars().all()
    connection.execute(_PAUSE, {"who": openid, "until": None})
    return int(ended[-1]) if ended else None


def helpers_of(connection: Connection, member: int) -> Helpers:
    """Return who can help a member, as they serve today."""
    home: str | None = connection.execute(_HOME, {"whose": member}).scalar_one()
    serving = staffing.active(connection)
    came_by = [touch.ref for touch in reversed(arrivals.of_member(connection, member)) if touch.kind == "staff"]
    adviser = next((one for ref in came_by for one in serving if str(one.id) == ref), None)
    if adviser is not None:
        return Helpers(adviser, adviser.store or home, (adviser,))
    here = [one for one in serving if one.store == home and one.role in ("adviser", "manager")]
    return Helpers(None, home, tuple(here or staffing.managers_of(connection, home)))


def asked_already(connection: Connection, member: int, words: str) -> bool:
    """Tell whether the same wish of a member is still on somebody's list."""
    return connection.execute(_ASKED, {"whose": member, "words": words}).first() is not None
