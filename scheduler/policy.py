"""What no campaign may overstep: who is held out for good, the quiet hours, and how many messages a member gets."""

import hashlib
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, func, select

from members.tables import Delivery, Outbox, table
from scheduler.rules import Cap, QuietHours

GLOBAL_SALT = "everything"
PUSHED = ("marketing", "reminder")
SLACK, DAY = timedelta(hours=1), timedelta(days=1)
LONGEST_WAIT = timedelta(days=90)
outbox, deliveries = table(Outbox), table(Delivery)

_SENT_AT = (
    select(func.max(deliveries.c.at)).where(deliveries.c.outbox_id == outbox.c.id).correlate(outbox).scalar_subquery()
)
_REACHED = (
    select(outbox.c.member_id)
    .where(
        outbox.c.kind.in_(bindparam("kinds", expanding=True)),
        outbox.c.member_id.is_not(None),
        outbox.c.state.in_(("pending", "claimed", "sent", "unknown")),
        outbox.c.created_at > bindparam("planned_since"),
        func.coalesce(_SENT_AT, outbox.c.created_at) > bindparam("since"),
    )
    .group_by(outbox.c.member_id)
    .having(func.count() >= bindparam("most"))
)


def held_out(member: int, share: float, salt: str = GLOBAL_SALT) -> bool:
    """Tell whether a member belongs to the hold-out of `share`: by person and for ever.

    First 8 bytes of SHA-256(salt:member) as a fraction of 1: a larger share keeps everybody of a smaller one.
    """
    digest = hashlib.sha256(f"{salt}:{member}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share


def quiet_until(quiet: QuietHours | None, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when the quiet hours that `now` lies in end, or None outside them."""
    if quiet is None or quiet.start == quiet.end:
        return None
    local = now.astimezone(zone)
    if not _within(local.time(), quiet):
        return None
    end = datetime.combine(local.date(), quiet.end, zone)
    return end if end > local else datetime.combine(local.date() + timedelta(days=1), quiet.end, zone)


def _within(moment: time, quiet: QuietHours) -> bool:
    if quiet.start < quiet.end:
        return quiet.start <= moment < quiet.end
    return moment >= quiet.start or moment < quiet.end


def capped(connection: Connection, caps: Iterable[Cap], kind: str, now: datetime) -> set[int]:
    """Return the members whom one more push of this kind would take past a cap; what still waits counts as sent."""
    found: set[int] = set()
    for cap in caps:
        if cap.kind is not None and cap.kind != kind:
            continue
        # a campaign of the same hour each week must not meet its own last message again
        span = cap.within.delta() - (SLACK if cap.within.delta() > DAY else timedelta())
        bound = {
            "kinds": PUSHED if cap.kind is None else (cap.kind,), "most": cap.messages,
            "since": now - span, "planned_since": now - span - LONGEST_WAIT,
        }  # fmt: skip
        found.update(connection.execute(_REACHED, bound).scalars())
    return found
