"""Double-entry books: a movement is balanced entries, booked once by key, chained per member.

Every entry on a member's account carries hash = SHA-256(previous hash ‖ canonical line), so that a statement can be
recomputed offline. Balances are materialised in the same transaction; `members.auditing` rebuilds them from zero.

Accounts of a member: `points`; `pending`, points still to mature; `principal` and `gift` balance in 分; `owed`,
points taken back beyond what there was (never above zero); `wallet:NAME`, what a partner keeps for the member. Points
and pending form lots. What has run out but is not booked as expired yet is not spent any more.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, insert, literal_column, select, update

from members.errors import MemberError
from members.prepared import Prepared
from members.tables import Account, Entry, LotUse, Member, Movement, PointLot, table

GENESIS = bytes(32)
MEMBER_KINDS = ("points", "pending", "principal", "gift", "owed")
LOT_KINDS = ("points", "pending")
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
    .where(
        accounts.c.id == bindparam("account"),
        case(
            (accounts.c.kind == "owed", accounts.c.balance + bindparam("delta") <= 0),
            else_=accounts.c.balance + bindparam("delta") >= 0,
        ),
    )
    .values(balance=accounts.c.balance + bindparam("delta"))
    .returning(accounts.c.balance)
)
_BY_KEY = select(movements.c.id).where(movements.c.key == bindparam("movement_key"))
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
_BALANCES = Prepared(select(accounts.c.kind, accounts.c.balance).where(accounts.c.member_id == bindparam("member")))
_EXPIRED_LOTS = (
    select(lots.c.member_id, func.sum(lots.c.remaining).label("points"))
    .where(lots.c.remaining > literal_column("0"), lots.c.account == "points", lots.c.expires_at <= bindparam("moment"))
    .group_by(lots.c.member_id)
    .order_by(lots.c.member_id)
)
_MINE = (
    (lots.c.member_id == bindparam("member"))
    & (lots.c.account == "points")
    # a bound 0 would make SQLite plan anew at every call, to see whether the partial index serves
    & (lots.c.remaining > literal_column("0"))
    & (lots.c.expires_at > bindparam("moment"))
)
_GOOD = Prepared(
    select(
        lots.c.expires_at,
        func.sum(lots.c.remaining).label("points"),
        select(func.sum(lots.c.remaining)).where(_MINE).scalar_subquery().label("all_points"),
    )
    .where(_MINE)
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
    """One signed amount on one account: of a member when `member` is given, else a system account of that kind.

    Taking from points or pending takes from `lot` when it is named. What is added forms a lot that ends at `expires_at`
    (and, pending, matures at `matures_at`); without these the booking's own count. `order` is where the lot came from.
    """

    account: str
    amount: int
    member: int | None = None
    lot: int | None = None
    expires_at: datetime | None = None
    matures_at: datetime | None = None
    order: int | None = None


@dataclass(frozen=True, slots=True)
class Booking:
    """What is to be booked; `key` makes it happen once, `expires_at` dates the lot that earned points form.

    One that `reverses` a movement puts points back into the lots they were taken from, and takes them first from the
    lots that movement opened. `from_lots` are taken from before others, in their order.
    """

    key: str
    kind: str
    actor: str
    at: datetime
    legs: Sequence[Leg]
    reason: str = ""
    order_id: int | None = None
    reverses: int | None = None
    expires_at: datetime | None = None
    matures_at: datetime | None = None
    store_id: str | None = None
    from_lots: Sequence[int] = ()


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
            "at": booking.at, "order_id": booking.order_id, "reverses": booking.reverses, "store_id": booking.store_id,
        },
    ).scalar_one()  # fmt: skip
    uses: Counter[int] = Counter()
    rows = [_line(connection, movement, line_no, booking, leg, heads, uses) for line_no, leg in enumerate(booking.legs)]
    connection.execute(insert(entries), rows)
    used = [{"movement_id": movement, "lot_id": lot, "amount": amount} for lot, amount in uses.items() if amount]
    if used:
        connection.execute(insert(lot_uses), used)
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
    uses: Counter[int],
) -> dict[str, Any]:
    row: dict[str, Any] = {"movement_id": movement, "line_no": line_no, "amount": leg.amount}
    if leg.member is None:
        blank = {"member_id": None, "seq": None, "balance_after": None, "hash": None}
        return row | blank | {"account_id": system_account(connection, leg.account)}
    account = member_account(connection, leg.member, leg.account)
    balance = connection.execute(_APPLY, {"account": account, "delta": leg.amount}).scalar_one_or_none()
    if balance is None:
        raise MemberError("insufficient", account=leg.account)
    if leg.account in LOT_KINDS:
        _move_lots(connection, movement, booking, leg, uses)
    was, seq, link = heads[leg.member]
    seq += 1
    link = chain(link, canonical(booking, leg, seq, balance))
    heads[leg.member] = (was, seq, link)
    filled = {"account_id": account, "member_id": leg.member, "seq": seq, "balance_after": balance, "hash": link}
    return row | filled


def _move_lots(connection: Connection, movement: int, booking: Booking, leg: Leg, uses: Counter[int]) -> None:
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
        back = min(left, taken)
        _take_from(connection, lot, -back, uses)
        left -= back
        if not left:
            break
    return leg.amount - left


def _take(connection: Connection, booking: Booking, leg: Leg, uses: Counter[int]) -> None:
    needed, expiring = -leg.amount, booking.kind == "expire"
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
        first += connection.scalars(_OPENED_BY, {"movement": booking.reverses})
    if first:
        found.sort(key=lambda row: first.index(row[0]) if row[0] in first else len(first))
    return found


def _take_from(connection: Connection, lot: int, take: int, uses: Counter[int]) -> None:
    if connection.execute(_TAKE_LOT, {"lot": lot, "take": take}).rowcount != 1:
        raise MemberError("busy")
    uses[lot] += take


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


def good_points(connection: Connection, member: int, now: datetime) -> tuple[int, tuple[datetime, int] | None]:
    """Return the points that have not run out, and (when, how many) run out next.

    A lot that has run out counts no more, although the nightly job has not booked its end yet.
    """
    for expires_at, amount, every in _GOOD.rows(connection, {"member": member, "moment": now}):
        return int(every), (expires_at, int(amount))
    return 0, None


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
    """Return the booking that undoes a movement leg by leg; post it to make it happen.

    A movement is reversed once: the unique index refuses the second (IntegrityError).
    """
    row = connection.execute(select(movements).where(movements.c.id == movement)).one()
    found = connection.execute(
        select(accounts.c.kind, entries.c.amount, entries.c.member_id)
        .select_from(entries.join(accounts))
        .where(entries.c.movement_id == movement)
        .order_by(entries.c.line_no)
    ).all()
    legs = tuple(Leg(kind, -amount, member) for kind, amount, member in found)
    return Booking(
        key, f"reverse_{row.kind}", actor, at, legs, reason=reason, order_id=row.order_id, reverses=movement,
        store_id=row.store_id,
    )  # fmt: skip
