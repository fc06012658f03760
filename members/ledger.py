"""Double-entry books: a movement is balanced entries, booked once by key, chained per member.

Every entry on a member's account carries hash = SHA-256(previous hash ‖ canonical line), so that a statement can be
recomputed offline. Balances are materialised in the same transaction; `members.auditing` rebuilds them from zero.

Accounts of a member: `points`; `pending`, points still to mature; `principal` and `gift` balance in 分; `owed`,
points taken back beyond what there was (never above zero); `wallet:NAME`, what a partner keeps for the member. Points
and pending form lots. What has run out but is not booked as expired yet is not spent any more.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, insert, literal_column, select, update

from members.bookings import GENESIS, MAX_AMOUNT, Booked, Booking, Leg, canonical, chain, check
from members.errors import MemberError
from members.lots import LOT_KINDS, lot_uses, lots, move
from members.prepared import Prepared
from members.tables import Account, Entry, Member, Movement, table

__all__ = [
    "GENESIS", "LOT_KINDS", "MAX_AMOUNT", "MEMBER_KINDS", "Booked", "Booking", "Leg", "accounts", "balances",
    "canonical", "chain", "check", "entries", "expire_points", "find", "good_points", "history", "lot_uses", "lots",
    "member_account", "members", "movements", "post", "reversal", "system_account",
]  # fmt: skip

MEMBER_KINDS = ("points", "pending", "principal", "gift", "owed")

members, accounts, movements, entries = table(Member), table(Account), table(Movement), table(Entry)

_HEAD = (
    select(members.c.chain_seq, members.c.chain_hash, members.c.state)
    .where(members.c.id == bindparam("member"))
    .with_for_update()
)
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
_BALANCES = Prepared(select(accounts.c.kind, accounts.c.balance).where(accounts.c.member_id == bindparam("member")))
_RAN_OUT = (
    (lots.c.remaining > literal_column("0")) & (lots.c.account == "points") & (lots.c.expires_at <= bindparam("moment"))
)
_WHO_EXPIRES = select(lots.c.member_id).where(_RAN_OUT).group_by(lots.c.member_id).order_by(lots.c.member_id)
_EXPIRED = select(func.coalesce(func.sum(lots.c.remaining), 0)).where(_RAN_OUT, lots.c.member_id == bindparam("member"))
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


def post(connection: Connection, booking: Booking) -> Booked:
    """Book once: balances, lots and chains move together, or MemberError('insufficient') and nothing moves.

    The chain head is raised by compare-and-set, which also orders concurrent bookings of one member.
    """
    check(booking)
    known = find(connection, booking.key)
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


def find(connection: Connection, key: str) -> int | None:
    """Return the movement that was booked under a key."""
    found = connection.execute(_BY_KEY, {"movement_key": key}).scalar_one_or_none()
    return None if found is None else int(found)


def _lock(connection: Connection, booking: Booking) -> dict[int, tuple[int, int, bytes]]:
    heads: dict[int, tuple[int, int, bytes]] = {}
    for member in sorted({leg.member for leg in booking.legs if leg.member is not None}):
        row = connection.execute(_HEAD, {"member": member}).one()
        if row.state == "merged" and booking.kind not in ("merge", "unmerge"):
            raise MemberError("busy")  # merged since it was looked up; asked again, it is the other member's
        if row.state == "erased":
            raise MemberError("member_erased")
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
        move(connection, movement, booking, leg, uses)
    was, seq, link = heads[leg.member]
    seq += 1
    link = chain(link, canonical(booking, leg, seq, balance))
    heads[leg.member] = (was, seq, link)
    filled = {"account_id": account, "member_id": leg.member, "seq": seq, "balance_after": balance, "hash": link}
    return row | filled


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
    due = connection.scalars(_WHO_EXPIRES.limit(limit), {"moment": now}).all()
    done = ((member, _expire(connection, member, now)) for member in due)
    return [(member, points) for member, points in done if points]


def _expire(connection: Connection, member: int, now: datetime) -> int:
    head = connection.execute(_HEAD, {"member": member}).one()
    points = int(connection.execute(_EXPIRED, {"member": member, "moment": now}).scalar_one())
    if points:
        # the place in the chain: what was put back into a lot that has run out expires again
        key = f"expire:{member}:{head.chain_seq}"
        legs = (Leg("points", -points, member), Leg("expired", points))
        post(connection, Booking(key, "expire", "system", now, legs, reason="积分到期"))
    return points


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
