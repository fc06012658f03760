"""Appointments of experience coupons: made from the template's times, booked by one conditional update each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, and_, bindparam, case, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members.errors import MemberError
from members.rules import WEEKDAYS, CouponRule, SlotRule
from members.tables import Coupon, CouponSlot, table

slots, coupons = table(CouponSlot), table(Coupon)
_PUT = upsert(slots)
_CAPACITY = _PUT.excluded.capacity
_PUT = _PUT.on_conflict_do_update(
    index_elements=[slots.c.template, slots.c.starts_at],
    set_={"capacity": case((slots.c.taken > _CAPACITY, slots.c.taken), else_=_CAPACITY)},
)
_AHEAD = and_(slots.c.template == bindparam("kind"), slots.c.starts_at > bindparam("moment"))
_FREE = (
    select(slots.c.id, slots.c.starts_at, (slots.c.capacity - slots.c.taken).label("left"))
    .where(_AHEAD, slots.c.starts_at < bindparam("until"), slots.c.taken < slots.c.capacity)
    .order_by(slots.c.starts_at)
    .limit(bindparam("many"))
)
_TAKE = (
    update(slots)
    .where(slots.c.id == bindparam("which"), slots.c.starts_at > bindparam("moment"), slots.c.taken < slots.c.capacity)
    .values(taken=slots.c.taken + 1)
    .returning(slots.c.starts_at)
)
_RELEASE = (
    update(slots).where(slots.c.id == bindparam("which"), slots.c.taken > 0).values(taken=slots.c.taken - 1)
)  # fmt: skip
_USABLE = and_(
    coupons.c.id == bindparam("coupon_id"),
    or_(coupons.c.state == "issued", and_(coupons.c.state == "locked", coupons.c.locked_until <= bindparam("moment"))),
    coupons.c.expires_at > bindparam("moment"),
)
_BOOK = (
    update(coupons)
    .where(_USABLE, coupons.c.slot_id.is_(None), coupons.c.template == bindparam("kind"))
    .where(coupons.c.expires_at > bindparam("starts"))
    .values(slot_id=bindparam("which"))
)
_UNBOOK = update(coupons).where(_USABLE, coupons.c.slot_id == bindparam("which")).values(slot_id=None)
_OF_COUPON = (
    select(slots.c.id, slots.c.starts_at)
    .select_from(coupons.join(slots, coupons.c.slot_id == slots.c.id))
    .where(coupons.c.id == bindparam("coupon_id"))
)
_BY_ID = select(slots).where(slots.c.id == bindparam("which"))
FAR = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Slot:
    """One appointment with `left` places."""

    id: int
    starts_at: datetime
    left: int


def sync(connection: Connection, rules: Mapping[str, CouponRule], *, zone: ZoneInfo, now: datetime) -> int:
    """Write the coming appointments of every experience template; return how many it should have.

    Times that left the rule take no more bookings: those without any are deleted, the others keep who has booked.
    """
    many = 0
    for code, rule in sorted(rules.items()):
        wanted = [] if rule.slots is None else list(_times(rule.slots, zone, now))
        for starts in wanted:
            row = {"template": code, "starts_at": starts, "capacity": rule.slots and rule.slots.capacity, "taken": 0}
            connection.execute(_PUT, row)
        if rule.slots is not None:
            _close_others(connection, code, wanted, now)
        many += len(wanted)
    return many


def _times(rule: SlotRule, zone: ZoneInfo, now: datetime) -> Iterator[datetime]:
    today = now.astimezone(zone).date()
    for day in (today + timedelta(days=ahead) for ahead in range(rule.days_ahead + 1)):
        if rule.days and WEEKDAYS[day.weekday()] not in rule.days:
            continue
        for at in rule.at:
            starts = datetime.combine(day, at, zone).astimezone(UTC)
            if starts > now:
                yield starts


def _close_others(connection: Connection, code: str, wanted: list[datetime], now: datetime) -> None:
    others = (slots.c.template == code) & (slots.c.starts_at > now) & slots.c.starts_at.not_in(wanted)
    never = ~select(coupons.c.id).where(coupons.c.slot_id == slots.c.id).exists()
    connection.execute(delete(slots).where(others, slots.c.taken == 0, never))
    connection.execute(update(slots).where(others).values(capacity=slots.c.taken))


def free(
    connection: Connection, template: str, *, now: datetime, until: datetime | None = None, many: int = 10
) -> list[Slot]:
    """Return the next appointments with a place, before `until` (such as the coupon's end)."""
    bound = {"kind": template, "moment": now, "until": until or now + FAR, "many": many}
    return [Slot(*row) for row in connection.execute(_FREE, bound)]


def book(connection: Connection, coupon: int, slot: int, *, now: datetime) -> Slot:
    """Book an appointment for a coupon, in place of the one it had; the last place goes to one.

    MemberError slot_full (or over, or none), slot_too_late when the coupon ends before it, coupon_not_bookable when the
    coupon can't be used or is for something else: the caller rolls back to before the call.
    """
    wanted = connection.execute(_BY_ID, {"which": slot}).one_or_none()
    if wanted is None:
        raise MemberError("slot_full")
    had = of_coupon(connection, coupon)
    if had is not None and had.id == slot:
        return had
    if had is not None and not cancel(connection, coupon, now=now):
        raise MemberError("coupon_not_bookable")
    bound = {"coupon_id": coupon, "which": slot, "kind": wanted.template, "starts": wanted.starts_at, "moment": now}
    if connection.execute(_BOOK, bound).rowcount != 1:
        ends = connection.execute(select(coupons.c.expires_at).where(_USABLE), bound).scalar_one_or_none()
        raise MemberError("slot_too_late" if ends is not None and ends <= wanted.starts_at else "coupon_not_bookable")
    if connection.execute(_TAKE, {"which": slot, "moment": now}).scalar_one_or_none() is None:
        raise MemberError("slot_full")
    return Slot(slot, wanted.starts_at, wanted.capacity - wanted.taken - 1)


def cancel(connection: Connection, coupon: int, *, now: datetime) -> bool:
    """Give up a coupon's coming appointment; False when it has none, it has begun, or the coupon can't be used."""
    had = of_coupon(connection, coupon)
    if had is None or had.starts_at <= now:
        return False
    if connection.execute(_UNBOOK, {"coupon_id": coupon, "which": had.id, "moment": now}).rowcount != 1:
        return False
    release(connection, had.id)
    return True


def release(connection: Connection, slot: int) -> None:
    """Give one place of an appointment back."""
    connection.execute(_RELEASE, {"which": slot})


def of_coupon(connection: Connection, coupon: int) -> Slot | None:
    """Return the appointment a coupon has."""
    row = connection.execute(_OF_COUPON, {"coupon_id": coupon}).one_or_none()
    return None if row is None else Slot(row.id, row.starts_at, 0)
