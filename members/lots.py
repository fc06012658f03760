"""Lots: points earned together and running out together, taken first expiring first, put back where they came from."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, literal_column, select, update

from members.bookings import Booking, Leg
from members.errors import MemberError
from members.tables import LotUse, PointLot, table

LOT_KINDS = ("points", "pending")

lots, lot_uses = table(PointLot), table(LotUse)

_OPEN_LOTS = (
    select(lots.c.id, lots.c.remaining, lots.c.expires_at)
    .where(
        lots.c.member_id == bindparam("member"), lots.c.account == bindparam("lot_account"),
        lots.c.remaining > literal_column("0"),
    )
    .order_by(lots.c.expires_at, lots.c.id)
)  # fmt: skip
_LOT = select(lots.c.id, lots.c.remaining, lots.c.expires_at).where(
    lots.c.id == bindparam("lot"), lots.c.member_id == bindparam("member"), lots.c.account == bindparam("lot_account")
)
_OPENED_BY = select(lots.c.id).where(lots.c.movement_id == bindparam("movement"), lots.c.remaining > 0)
_REFILLED_BY = (
    select(lot_uses.c.lot_id)
    .where(lot_uses.c.movement_id == bindparam("movement"), lot_uses.c.amount < 0)
    .order_by(lot_uses.c.lot_id)
)
_TAKEN_BY = (
    select(lots.c.id, lot_uses.c.amount)
    .select_from(lot_uses.join(lots))
    .where(
        lot_uses.c.movement_id == bindparam("movement"), lots.c.member_id == bindparam("member"),
        lots.c.account == bindparam("lot_account"), lot_uses.c.amount > 0,
    )
    .order_by(lots.c.expires_at, lots.c.id)
)  # fmt: skip
_TAKE_LOT = (
    update(lots)
    .where(
        lots.c.id == bindparam("lot"), lots.c.remaining >= bindparam("take"),
        lots.c.remaining - bindparam("take") <= lots.c.amount,
    )
    .values(remaining=lots.c.remaining - bindparam("take"))
)  # fmt: skip


def move(connection: Connection, movement: int, booking: Booking, leg: Leg, uses: Counter[int]) -> None:
    if leg.amount < 0:
        _take(connection, booking, leg, uses)
        return
    left = leg.amount
    if booking.reverses is not None and leg.expires_at is None:
        left -= _put_back(connection, booking.reverses, leg, uses)
    if left:
        _open_lot(connection, movement, booking, leg, left)


def _open_lot(connection: Connection, movement: int, booking: Booking, leg: Leg, amount: int) -> None:
    expires_at, matures_at = leg.expires_at or booking.expires_at, leg.matures_at or booking.matures_at
    pending = leg.account == "pending"
    if expires_at is None or (pending and matures_at is None):
        raise ValueError(f"points without an expiry in {booking.key}")
    lot = {
        "member_id": leg.member, "movement_id": movement, "account": leg.account, "amount": amount, "remaining": amount,
        "order_id": leg.order or booking.order_id, "earned_at": booking.at, "expires_at": expires_at,
        "matures_at": matures_at if pending else None,
    }  # fmt: skip
    connection.execute(insert(lots), lot)


def _put_back(connection: Connection, reversed_movement: int, leg: Leg, uses: Counter[int]) -> int:
    """Put points back where the reversed movement took them; return how many found their place."""
    bound = {"movement": reversed_movement, "member": leg.member, "lot_account": leg.account}
    left = leg.amount
    for lot, taken in connection.execute(_TAKEN_BY, bound).all():
        back = min(left, taken - max(-uses[lot], 0))
        if back:
            _take_from(connection, lot, -back, uses)
        left -= back
        if not left:
            break
    return leg.amount - left


def _take(connection: Connection, booking: Booking, leg: Leg, uses: Counter[int]) -> None:
    needed, expiring = -leg.amount, booking.kind == "expire" and leg.lot is None
    for lot, remaining, expires_at in _takeable(connection, booking, leg):
        if needed == 0 or (expiring and expires_at > booking.at):
            break
        if expires_at <= booking.at and not expiring and leg.lot is None and leg.account == "points":
            continue
        take = min(needed, remaining)
        if take:
            _take_from(connection, lot, take, uses)
        needed -= take
    if needed:
        raise MemberError("insufficient", account=leg.account)


def _takeable(connection: Connection, booking: Booking, leg: Leg) -> Iterable[tuple[int, int, datetime]]:
    """Return the lots (id, remaining, expires_at) a leg may take from, in the order in which it should."""
    whose = {"member": leg.member, "lot_account": leg.account}
    if leg.lot is not None:
        return [tuple(row) for row in connection.execute(_LOT, whose | {"lot": leg.lot})]
    found = [tuple(row) for row in connection.execute(_OPEN_LOTS, whose)]
    first = list(booking.from_lots)
    if booking.reverses is not None:
        reversed_one = {"movement": booking.reverses}
        first += [lot for which in (_OPENED_BY, _REFILLED_BY) for lot in connection.scalars(which, reversed_one)]
    if first:
        found.sort(key=lambda row: first.index(row[0]) if row[0] in first else len(first))
    return found


def _take_from(connection: Connection, lot: int, take: int, uses: Counter[int]) -> None:
    if connection.execute(_TAKE_LOT, {"lot": lot, "take": take}).rowcount != 1:
        raise MemberError("busy")
    uses[lot] += take
