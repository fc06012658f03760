"""How many pushes a member allows: at most so many in any 30 days, on top of the shop's own caps.

When a campaign is planned, what still waits counts like what was sent; when a message is about to leave, only what has
left before it does.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, or_, select, update

from members import audit
from members.audit import Actor
from members.identity import lock
from members.tables import Delivery, Member, Outbox, table

WINDOW = timedelta(days=30)
MOST = 30
PUSHED = ("marketing", "reminder")
LEFT = ("accepted", "unknown", "sending")
LONGEST_WAIT = timedelta(days=90)
members, outbox, deliveries = table(Member), table(Outbox), table(Delivery)

_OF = select(members.c.attention).where(members.c.id == bindparam("member"))
_PUT = update(members).where(members.c.id == bindparam("which")).values(attention=bindparam("most"))
_LEFT_FOR = (
    select(func.count(func.distinct(outbox.c.id)))
    .select_from(outbox.join(deliveries, deliveries.c.outbox_id == outbox.c.id))
    .where(
        outbox.c.member_id == bindparam("member"), outbox.c.kind.in_(PUSHED), outbox.c.id != bindparam("but"),
        deliveries.c.outcome.in_(LEFT), deliveries.c.at > bindparam("since"),
    )
)  # fmt: skip
_LEFT_AT = (
    select(func.max(deliveries.c.at)).where(deliveries.c.outbox_id == outbox.c.id).correlate(outbox).scalar_subquery()
)
_COUNTING = (
    select(outbox.c.member_id, func.count().label("pushes"))
    .select_from(outbox.join(members, outbox.c.member_id == members.c.id))
    .where(
        members.c.attention.is_not(None), outbox.c.kind.in_(PUSHED),
        outbox.c.state.in_(("pending", "claimed", "sent", "unknown")),
        outbox.c.created_at > bindparam("planned_since"),
        func.coalesce(_LEFT_AT, outbox.c.created_at) > bindparam("since"),
    )
    .group_by(outbox.c.member_id)
    .subquery()
)  # fmt: skip
_SPENT = (
    select(members.c.id)
    .select_from(members.outerjoin(_COUNTING, _COUNTING.c.member_id == members.c.id))
    .where(
        members.c.attention.is_not(None),
        or_(members.c.attention == 0, _COUNTING.c.pushes >= members.c.attention),
    )
)


def of_member(connection: Connection, member: int) -> int | None:
    """Return how many pushes in 30 days the member allows; None: as the shop's caps have it."""
    found: int | None = connection.execute(_OF, {"member": member}).scalar_one()
    return found


def put(connection: Connection, member: int, most: int | None, *, by: Actor, now: datetime) -> None:
    """Set the member's budget, 0…30, or take it away (None)."""
    if most is not None and not 0 <= most <= MOST:
        raise ValueError(f"a budget of {most}")
    lock(connection, member)
    before = of_member(connection, member)
    if before != most:
        connection.execute(_PUT, {"which": member, "most": most})
        audit.write(
            connection, by, "member.attention", member, {}, now=now, before={"most": before}, after={"most": most}
        )


def left(connection: Connection, member: int, now: datetime, *, but: int = 0) -> int:
    """Return how many pushes have left for a member within the last 30 days, not counting the message `but`."""
    bound = {"member": member, "but": but, "since": now - WINDOW}
    return int(connection.execute(_LEFT_FOR, bound).scalar_one())


def spent(connection: Connection, now: datetime) -> set[int]:
    """Return the members whom one more push would take past their own budget."""
    bound = {"since": now - WINDOW, "planned_since": now - WINDOW - LONGEST_WAIT}
    return set(connection.scalars(_SPENT, bound))
