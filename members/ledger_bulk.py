"""Many movements at once, for imports: the rows `members.ledger.post` would write one after another, in few statements.

Everything is computed in memory under the members' locks and only then written, so a refusal writes nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Update, bindparam, select, update
from sqlalchemy.exc import NoResultFound

from members.bulk import insert_rows, take_ids
from members.errors import MemberError
from members.ledger import Booked, Booking, Leg, accounts, canonical, chain, check, entries, lot_uses, lots, movements
from members.ledger import members as member_table

IN_LIMIT = 500
AccountKey = tuple[int | None, str]

_KNOWN = select(movements.c.key, movements.c.id).where(movements.c.key.in_(bindparam("wanted", expanding=True)))
_HEADS = (
    select(member_table.c.id, member_table.c.chain_seq, member_table.c.chain_hash)
    .where(member_table.c.id.in_(bindparam("wanted", expanding=True)))
    .order_by(member_table.c.id)
    .with_for_update()
)
_ACCOUNTS = select(accounts.c.member_id, accounts.c.kind, accounts.c.id, accounts.c.balance)
_OF_MEMBERS = _ACCOUNTS.where(accounts.c.member_id.in_(bindparam("wanted", expanding=True)))
_OF_SYSTEM = _ACCOUNTS.where(accounts.c.member_id.is_(None))
_OPEN_LOTS = (
    select(lots.c.member_id, lots.c.id, lots.c.remaining, lots.c.expires_at)
    .where(lots.c.member_id.in_(bindparam("wanted", expanding=True)), lots.c.account == "points", lots.c.remaining > 0)
    .order_by(lots.c.id)
)
_SET_HEAD = (
    update(member_table)
    .where(member_table.c.id == bindparam("row"), member_table.c.chain_seq == bindparam("was"))
    .values(chain_seq=bindparam("now_seq"), chain_hash=bindparam("now_hash"))
)
_SET_BALANCE = (
    update(accounts)
    .where(accounts.c.id == bindparam("row"), accounts.c.balance == bindparam("was"))
    .values(balance=bindparam("now"))
)
_SET_LOT = (
    update(lots)
    .where(lots.c.id == bindparam("row"), lots.c.remaining == bindparam("was"))
    .values(remaining=bindparam("now"))
)


@dataclass(slots=True)
class _Cell:
    """A row that is known or about to be opened, as it was and as it will be."""

    id: int
    was: int | None
    now: int


@dataclass(slots=True)
class _Head:
    was: int
    seq: int
    link: bytes


@dataclass(slots=True)
class _Lot:
    """A lot with something left; `opened` are the columns of one this batch opens."""

    cell: _Cell
    expires_at: datetime
    opened: tuple[Any, ...] = ()


@dataclass(slots=True)
class _Books:
    """The touched part of the books in memory, and the rows to add to it."""

    heads: dict[int, _Head]
    accounts: dict[AccountKey, _Cell]
    lots: dict[int, list[_Lot]]
    lot_ids: Iterator[int]
    movement_rows: list[tuple[Any, ...]] = field(default_factory=list)
    entry_rows: list[tuple[Any, ...]] = field(default_factory=list)
    use_rows: list[tuple[int, int, int]] = field(default_factory=list)


def post_many(connection: Connection, bookings: Sequence[Booking]) -> list[Booked]:
    """Book in the given order, each key once, with the rows of `post` called for each; all, or MemberError and none."""
    for booking in bookings:
        check(booking)
        _plain(booking)
    known = dict(_fetch(connection, _KNOWN, [booking.key for booking in bookings]))
    fresh: dict[str, Booking] = {}
    for booking in bookings:
        if booking.key not in known:
            fresh.setdefault(booking.key, booking)
    if fresh:
        books = _open_books(connection, list(fresh.values()))
        for movement, booking in zip(take_ids(connection, movements, len(fresh)), fresh.values(), strict=True):
            _book(books, movement, booking)
            known[booking.key] = movement
        _write(connection, books)
    return [Booked(known[booking.key], fresh.pop(booking.key, None) is not None) for booking in bookings]


def _plain(booking: Booking) -> None:
    """Refuse what only `post` can do (ValueError): naming lots, reversing, pending points, debts."""
    special = any(leg.lot or leg.expires_at or leg.account in ("pending", "owed") for leg in booking.legs)
    if special or booking.reverses is not None or booking.from_lots:
        raise ValueError(f"not for many at once: {booking.key}")


def _fetch(connection: Connection, statement: Select[Any], wanted: Sequence[Any]) -> Iterator[Any]:
    for start in range(0, len(wanted), IN_LIMIT):
        yield from connection.execute(statement, {"wanted": wanted[start : start + IN_LIMIT]}).all()


def _open_books(connection: Connection, fresh: Sequence[Booking]) -> _Books:
    legs = [leg for booking in fresh for leg in booking.legs]
    wanted = sorted({leg.member for leg in legs if leg.member is not None})
    heads = {row.id: _Head(row.chain_seq, row.chain_seq, row.chain_hash) for row in _fetch(connection, _HEADS, wanted)}
    if len(heads) != len(wanted):
        raise NoResultFound(f"no member {next(iter(set(wanted) - set(heads)))}")
    earning = sum(1 for leg in legs if _is_points(leg) and leg.amount > 0)
    spending = sorted({leg.member for leg in legs if leg.member is not None and _is_points(leg) and leg.amount < 0})
    open_lots: dict[int, list[_Lot]] = {}
    for row in _fetch(connection, _OPEN_LOTS, spending):
        cell = _Cell(row.id, row.remaining, row.remaining)
        open_lots.setdefault(row.member_id, []).append(_Lot(cell, row.expires_at))
    found = _accounts(connection, legs, wanted)
    return _Books(heads, found, open_lots, iter(take_ids(connection, lots, earning)))


def _accounts(connection: Connection, legs: Sequence[Leg], wanted: Sequence[int]) -> dict[AccountKey, _Cell]:
    rows = [*_fetch(connection, _OF_MEMBERS, wanted), *connection.execute(_OF_SYSTEM)]
    found: dict[AccountKey, _Cell] = {
        (row.member_id, row.kind): _Cell(row.id, row.balance, row.balance) for row in rows
    }
    missing = [key for key in dict.fromkeys((leg.member, leg.account) for leg in legs) if key not in found]
    for key, row_id in zip(missing, take_ids(connection, accounts, len(missing)), strict=True):
        found[key] = _Cell(row_id, None, 0)
    return found


def _is_points(leg: Leg) -> bool:
    return leg.account == "points" and leg.member is not None


def _book(books: _Books, movement: int, booking: Booking) -> None:
    said = (booking.key, booking.kind, booking.actor, booking.reason)
    books.movement_rows.append((movement, *said, booking.at, booking.order_id, booking.reverses, booking.store_id))
    for line_no, leg in enumerate(booking.legs):
        cell = books.accounts[leg.member, leg.account]
        if leg.member is None:
            books.entry_rows.append((movement, line_no, cell.id, None, None, leg.amount, None, None))
            continue
        cell.now += leg.amount
        if cell.now < 0:
            raise MemberError("insufficient", account=leg.account)
        if leg.account == "points":
            _move_lots(books, movement, booking, leg.member, leg.amount)
        head = books.heads[leg.member]
        head.seq += 1
        head.link = chain(head.link, canonical(booking, leg, head.seq, cell.now))
        books.entry_rows.append((movement, line_no, cell.id, leg.member, head.seq, leg.amount, cell.now, head.link))


def _move_lots(books: _Books, movement: int, booking: Booking, member: int, amount: int) -> None:
    held = books.lots.setdefault(member, [])
    if amount > 0:
        if booking.expires_at is None:
            raise ValueError(f"points without an expiry in {booking.key}")
        opened = (member, movement, "points", booking.order_id, amount, booking.at, booking.expires_at)
        held.append(_Lot(_Cell(next(books.lot_ids), None, amount), booking.expires_at, opened))
        return
    needed = -amount
    for lot in sorted((lot for lot in held if lot.cell.now), key=lambda lot: (lot.expires_at, lot.cell.id)):
        expiring = booking.kind == "expire"
        if needed == 0 or (expiring and lot.expires_at > booking.at):
            break
        if lot.expires_at <= booking.at and not expiring:
            continue
        take = min(needed, lot.cell.now)
        lot.cell.now -= take
        books.use_rows.append((movement, lot.cell.id, take))
        needed -= take
    if needed:
        raise MemberError("insufficient", account="points")


def _write(connection: Connection, books: _Books) -> None:
    opened = [(cell.id, *key, cell.now) for key, cell in books.accounts.items() if cell.was is None]
    insert_rows(connection, accounts, ("id", "member_id", "kind", "balance"), opened)
    moved = ("id", "key", "kind", "actor", "reason", "at", "order_id", "reverses", "store_id")
    insert_rows(connection, movements, moved, books.movement_rows)
    lines = ("movement_id", "line_no", "account_id", "member_id", "seq", "amount", "balance_after", "hash")
    insert_rows(connection, entries, lines, books.entry_rows)
    held = [lot for member in books.lots.values() for lot in member]
    fresh_lots = sorted((lot.cell.id, lot.cell.now, *lot.opened) for lot in held if lot.cell.was is None)
    of_lot = ("member_id", "movement_id", "account", "order_id", "amount", "earned_at", "expires_at")
    insert_rows(connection, lots, ("id", "remaining", *of_lot), fresh_lots)
    insert_rows(connection, lot_uses, ("movement_id", "lot_id", "amount"), books.use_rows)
    _swap(connection, _SET_BALANCE, books.accounts.values())
    _swap(connection, _SET_LOT, (lot.cell for lot in held))
    _raise_heads(connection, books.heads)


def _swap(connection: Connection, statement: Update, cells: Iterable[_Cell]) -> None:
    changed = [{"row": cell.id, "was": cell.was, "now": cell.now} for cell in cells if cell.was not in (None, cell.now)]
    _all_moved(connection, statement, changed)


def _raise_heads(connection: Connection, heads: dict[int, _Head]) -> None:
    raised = [
        {"row": member, "was": head.was, "now_seq": head.seq, "now_hash": head.link}
        for member, head in heads.items()
        if head.seq != head.was
    ]
    _all_moved(connection, _SET_HEAD, raised)


def _all_moved(connection: Connection, statement: Update, rows: list[dict[str, Any]]) -> None:
    if rows and connection.execute(statement, rows).rowcount != len(rows):
        raise MemberError("busy")
