"""Double-entry books: a movement is balanced entries, booked once by key, chained per member.

Every entry on a member's account carries hash = SHA-256(previous hash ‖ canonical line), so that a statement can be
recomputed offline. Balances are materialised in the same transaction; `members.auditing` rebuilds them from zero.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, literal_column, select, update

from members.errors import MemberError
from members.prepared import Prepared
from members.tables import Account, Entry, LotUse, Member, Movement, PointLot, table

GENESIS = bytes(32)
MEMBER_KINDS = ("points", "principal", "gift")
MAX_AMOUNT = 10**12

members, accounts, movements = table(Member), table(Account), table(Movement)
entries, lots, lot_uses = table(Entry), table(PointLot), table(LotUse)

_HEAD = select(members.c.chain_seq, members.c.chain_hash).where(members.c.id == bindparam("member")).with_for_update()
_SET_HEAD = (
    update(members)
    .where(members.c.id == bindparam("member"), members.c.chain_seq == bindparam("was"))
    .values(chain_seq=bindparam("seq"), chain_hash=bindparam("hash"))
)
_ACCOUNT = select(accounts.c.id).where(
    accounts.c.member_id == bindparam("member"), accounts.c.kind == bindparam("account_kind")
)
_SYSTEM = select(accounts.c.id).where(accounts.c.member_id.is_(None), accounts.c.kind == bindparam("account_kind"))
_APPLY = (
    update(accounts)
    .where(accounts.c.id == bindparam("account"), accounts.c.balance + bindparam("delta") >= 0)
    .values(balance=accounts.c.balance + bindparam("delta"))
    .returning(accounts.c.balance)
)
_BY_KEY = select(movements.c.id).where(movements.c.key == bindparam("movement_key"))
_OPEN_LOTS = (
    select(lots.c.id, lots.c.remaining, lots.c.expires_at)
    .where(lots.c.member_id == bindparam("member"), lots.c.remaining > 0)
    .order_by(lots.c.expires_at, lots.c.id)
)
_TAKE_LOT = (
    update(lots)
    .where(lots.c.id == bindparam("lot"), lots.c.remaining >= bindparam("take"))
    .values(remaining=lots.c.remaining - bindparam("take"))
)
_BALANCES = Prepared(select(accounts.c.kind, accounts.c.balance).where(accounts.c.member_id == bindparam("member")))
_EXPIRED_LOTS = (
    select(lots.c.member_id, func.sum(lots.c.remaining).label("points"))
    .where(lots.c.remaining > 0, lots.c.expires_at <= bindparam("moment"))
    .group_by(lots.c.member_id)
    .order_by(lots.c.member_id)
)
# a bound 0 would make SQLite plan anew at every call, to see whether the partial index serves
_EXPIRING = Prepared(
    select(lots.c.expires_at, func.sum(lots.c.remaining).label("points"))
    .where(
        lots.c.member_id == bindparam("member"),
        lots.c.remaining > literal_column("0"),
        lots.c.expires_at > bindparam("moment"),
    )
    .group_by(lots.c.expires_at)
    .order_by(lots.c.expires_at)
    .limit(1)
)
_HISTORY = (
    select(movements.c.at, movements.c.kind, movements.c.reason, entries.c.amount, entries.c.balance_after)
    .select_from(entries.join(movements, entries.c.movement_id == movements.c.id).join(accounts))
    .where(entries.c.member_id == bindparam("member"), accounts.c.kind.in_(bindparam("kinds", expanding=True)))
    .order_by(entries.c.seq.desc())
    .limit(bindparam("many"))
)


@dataclass(frozen=True, slots=True)
class Leg:
    """One signed amount on one account: of a member when `member` is given, else a system account of that kind."""

    account: str
    amount: int
    member: int | None = None


@dataclass(frozen=True, slots=True)
class Booking:
    """What is to be booked; `key` makes it happen once, `expires_at` dates the lot that earned points form."""

    key: str
    kind: str
    actor: str
    at: datetime
    legs: Sequence[Leg]
    reason: str = ""
    order_id: int | None = None
    reverses: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Booked:
    """The movement's id, and whether this call made it (False: it was there already)."""

    id: int
    created: bool


def canonical(booking: Booking, leg: Leg, seq: int, balance_after: int) -> bytes:
    """Return the bytes that the chain hashes: tab-joined fields, the instant in UTC ISO 8601 to the microsecond."""
    at = booking.at.astimezone(None).timestamp()
    fields = (
        seq, leg.member, leg.account, leg.amount, balance_after,
        booking.key, booking.kind, round(at * 1_000_000), booking.actor, booking.reason,
    )  # fmt: skip
    return "\t".join(str(field).replace("\t", " ") for field in fields).encode()


def chain(previous: bytes, line: bytes) -> bytes:
    """Return the next link: SHA-256 over the previous link and the line."""
    return hashlib.sha256((previous or GENESIS) + line).digest()


def check(booking: Booking) -> None:
    """Refuse unbalanced, empty or oversized bookings (ValueError: a fault of ours, never of a member)."""
    if not booking.legs or sum(leg.amount for leg in booking.legs) != 0:
        raise ValueError(f"unbalanced booking {booking.key}")
    if any(leg.amount == 0 or abs(leg.amount) > MAX_AMOUNT for leg in booking.legs):
        raise ValueError(f"amount out of range in {booking.key}")


def post(connection: Connection, booking: Booking) -> Booked:
    """Book once: balances, lots and chains move together, or MemberError('insufficient') and nothing moves.

    The chain head is raised by compare-and-set, which also orders concurrent bookings of one member.
    """
    check(booking)
    known = connection.execute(_BY_KEY, {"movement_key": booking.key}).scalar_one_or_none()
    if known is not None:
        return Booked(known, False)
    heads = _lock(connection, booking)
    movement = connection.execute(
        insert(movements).returning(movements.c.id),
        {
            "key": booking.key, "kind": booking.kind, "actor": booking.actor, "reason": booking.reason,
            "at": booking.at, "order_id": booking.order_id, "reverses": booking.reverses,
        },
    ).scalar_one()  # fmt: skip
    rows = []
    for line_no, leg in enumerate(booking.legs):
        rows.append(_line(connection, movement, line_no, booking, leg, heads))
    connection.execute(insert(entries), rows)
    for member, (was, seq, link) in heads.items():
        moved = connection.execute(_SET_HEAD, {"member": member, "was": was, "seq": seq, "hash": link})
        if moved.rowcount != 1:
            raise MemberError("busy")
    return Booked(movement, True)


def _lock(connection: Connection, booking: Booking) -> dict[int, tuple[int, int, bytes]]:
    heads: dict[int, tuple[int, int, bytes]] = {}
    for member in sorted({leg.member for leg in booking.legs if leg.member is not None}):
        row = connection.execute(_HEAD, {"member": member}).one()
        heads[member] = (row.chain_seq, row.chain_seq, row.chain_hash)
    return heads


def _line(
    connection: Connection,
    movement: int,
    line_no: int,
    booking: Booking,
    leg: Leg,
    heads: dict[int, tuple[int, int, bytes]],
) -> dict[str, Any]:
    row: dict[str, Any] = {"movement_id": movement, "line_no": line_no, "amount": leg.amount}
    if leg.member is None:
        blank = {"member_id": None, "seq": None, "balance_after": None, "hash": None}
        return row | blank | {"account_id": system_account(connection, leg.account)}
    account = member_account(connection, leg.member, leg.account)
    balance = connection.execute(_APPLY, {"account": account, "delta": leg.amount}).scalar_one_or_none()
    if balance is None:
        raise MemberError("insufficient", account=leg.account)
    if leg.account == "points":
        _move_lots(connection, movement, booking, leg)
    was, seq, link = heads[leg.member]
    seq += 1
    link = chain(link, canonical(booking, leg, seq, balance))
    heads[leg.member] = (was, seq, link)
    filled = {"account_id": account, "member_id": leg.member, "seq": seq, "balance_after": balance, "hash": link}
    return row | filled


def _move_lots(connection: Connection, movement: int, booking: Booking, leg: Leg) -> None:
    if leg.amount > 0:
        if booking.expires_at is None:
            raise ValueError(f"points without an expiry in {booking.key}")
        lot = {
            "member_id": leg.member, "movement_id": movement, "amount": leg.amount, "remaining": leg.amount,
            "earned_at": booking.at, "expires_at": booking.expires_at,
        }  # fmt: skip
        connection.execute(insert(lots), lot)
        return
    needed = -leg.amount
    expiring = booking.kind == "expire"
    for lot_id, remaining, expires_at in connection.execute(_OPEN_LOTS, {"member": leg.member}).all():
        if needed == 0 or (expiring and expires_at > booking.at):
            break
        take = min(needed, remaining)
        if connection.execute(_TAKE_LOT, {"lot": lot_id, "take": take}).rowcount != 1:
            raise MemberError("busy")
        connection.execute(insert(lot_uses), {"movement_id": movement, "lot_id": lot_id, "amount": take})
        needed -= take
    if needed:
        raise MemberError("insufficient", account="points")


def member_account(connection: Connection, member: int, kind: str) -> int:
    """Return the id of a member's account, opening it when this is its first movement."""
    found = connection.execute(_ACCOUNT, {"member": member, "account_kind": kind}).scalar_one_or_none()
    if found is None:
        opened = insert(accounts).returning(accounts.c.id)
        found = connection.execute(opened, {"member_id": member, "kind": kind, "balance": 0}).scalar_one()
    return int(found)


def system_account(connection: Connection, kind: str) -> int:
    """Return the id of a system account, opening it at its first movement."""
    found = connection.execute(_SYSTEM, {"account_kind": kind}).scalar_one_or_none()
    if found is None:
        opened = insert(accounts).returning(accounts.c.id)
        found = connection.execute(opened, {"member_id": None, "kind": kind, "balance": 0}).scalar_one()
    return int(found)


def balances(connection: Connection, member: int) -> dict[str, int]:
    """Return {account kind: balance} of a member, zero for what was never moved."""
    found = dict.fromkeys(MEMBER_KINDS, 0)
    found.update(dict(_BALANCES.rows(connection, {"member": member})))
    return found


def next_expiry(connection: Connection, member: int, now: datetime) -> tuple[datetime, int] | None:
    """Return when the member's next points expire, and how many."""
    for expires_at, amount in _EXPIRING.rows(connection, {"member": member, "moment": now}):
        return expires_at, int(amount)
    return None


def history(connection: Connection, member: int, kinds: Sequence[str], many: int = 10) -> list[Any]:
    """Return the newest lines (at, kind, reason, amount, balance_after) of the member's accounts of these kinds."""
    return list(connection.execute(_HISTORY, {"member": member, "kinds": list(kinds), "many": many}))


def expire_points(connection: Connection, now: datetime, *, limit: int = 500) -> list[tuple[int, int]]:
    """Expire due lots, a movement per member; return (member, points) of those expired, at most `limit` members."""
    due = connection.execute(_EXPIRED_LOTS.limit(limit), {"moment": now}).all()
    for member, points in due:
        legs = (Leg("points", -int(points), member), Leg("expired", int(points)))
        key = f"expire:{member}:{now.isoformat()}"
        post(connection, Booking(key, "expire", "system", now, legs, reason="积分到期"))
    return [(member, int(points)) for member, points in due]


def reversal(connection: Connection, movement: int, *, key: str, actor: str, at: datetime, reason: str) -> Booking:
    """Return the booking that undoes a movement leg by leg; post it to make it happen."""
    row = connection.execute(select(movements).where(movements.c.id == movement)).one()
    found = connection.execute(
        select(accounts.c.kind, entries.c.amount, entries.c.member_id)
        .select_from(entries.join(accounts))
        .where(entries.c.movement_id == movement)
        .order_by(entries.c.line_no)
    ).all()
    legs = tuple(Leg(kind, -amount, member) for kind, amount, member in found)
    booking = Booking(
        key, f"reverse_{row.kind}", actor, at, legs, reason=reason, order_id=row.order_id, reverses=movement
    )
    expiry = connection.execute(
        select(func.max(lots.c.expires_at)).select_from(lot_uses.join(lots)).where(lot_uses.c.movement_id == movement)
    ).scalar_one_or_none()
    return replace(booking, expires_at=expiry)
