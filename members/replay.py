"""The books rebuilt from zero, from movements, entries and lot uses alone, to be compared byte by byte.

A dump is lines of tab-joined fields in a fixed order: balances of members' accounts, what is left of each lot, and the
end of each member's chain.
"""

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, func, select

from members.ledger import Booking, Leg, accounts, canonical, chain, entries, lot_uses, lots, members, movements

_SUMS = (
    select(accounts.c.member_id, accounts.c.kind, func.sum(entries.c.amount))
    .select_from(entries.join(accounts, entries.c.account_id == accounts.c.id))
    .where(accounts.c.member_id.is_not(None))
    .group_by(accounts.c.member_id, accounts.c.kind)
)
_BALANCES = select(accounts.c.member_id, accounts.c.kind, accounts.c.balance).where(accounts.c.member_id.is_not(None))
_USED = (
    select(lots.c.id, lots.c.amount - func.coalesce(func.sum(lot_uses.c.amount), 0))
    .select_from(lots.outerjoin(lot_uses))
    .group_by(lots.c.id, lots.c.amount)
)
_REMAINING = select(lots.c.id, lots.c.remaining)
_LINES = (
    select(
        entries.c.member_id, entries.c.seq, entries.c.amount, accounts.c.kind.label("account"), movements.c.key,
        movements.c.kind, movements.c.at, movements.c.actor, movements.c.reason,
    )
    .select_from(entries.join(accounts, entries.c.account_id == accounts.c.id).join(movements))
    .where(entries.c.member_id.is_not(None))
    .order_by(entries.c.member_id, entries.c.seq)
)  # fmt: skip
_HEADS = select(members.c.id, members.c.chain_seq, members.c.chain_hash).where(members.c.chain_seq > 0)


def rebuild(connection: Connection) -> bytes:
    """Return the dump computed from what was booked."""
    sums = connection.execute(_SUMS)
    used = connection.execute(_USED)
    return _dump(sums, used, _replayed(connection))


def stored(connection: Connection) -> bytes:
    """Return the dump of what the books keep materialised."""
    balances = connection.execute(_BALANCES)
    remaining = connection.execute(_REMAINING)
    heads = ((member, seq, bytes(link)) for member, seq, link in connection.execute(_HEADS))
    return _dump(balances, remaining, heads)


def _dump(
    balances: Iterable[tuple[int | None, str, int]],
    remaining: Iterable[tuple[int | None, int]],
    heads: Iterable[tuple[int | None, int, bytes]],
) -> bytes:
    lines = [f"balance\t{member}\t{kind}\t{int(amount)}" for member, kind, amount in sorted(balances, key=str)]
    lines += [f"lot\t{lot}\t{int(left)}" for lot, left in sorted(remaining, key=str)]
    lines += [f"head\t{member}\t{seq}\t{link.hex()}" for member, seq, link in sorted(heads, key=str)]
    return "".join(f"{line}\n" for line in lines).encode()


def _replayed(connection: Connection) -> Iterator[tuple[int, int, bytes]]:
    """Yield (member, lines, last link) of every chain, its links computed from the first line on."""
    heads: dict[int, tuple[int, bytes]] = {}
    owned: dict[tuple[int, str], int] = {}
    for row in connection.execute(_LINES, execution_options={"yield_per": 2000}):
        seq, link = heads.get(row.member_id, (0, b""))
        account = (row.member_id, row.account)
        owned[account] = owned.get(account, 0) + row.amount
        booking = Booking(row.key, row.kind, row.actor, row.at, (), row.reason)
        leg = Leg(row.account, row.amount, row.member_id)
        heads[row.member_id] = (seq + 1, chain(link, canonical(booking, leg, seq + 1, owned[account])))
    yield from ((member, seq, link) for member, (seq, link) in heads.items())
