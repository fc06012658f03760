"""Entries, balances, lots and chains: each is what the rows below it add up to."""

from collections.abc import Iterator

from sqlalchemy import Connection, and_, func, literal_column, or_, select, union_all

from members.auditing.breach import Breach
from members.ledger import (
    LOT_KINDS,
    Booking,
    Leg,
    accounts,
    canonical,
    chain,
    entries,
    lot_uses,
    lots,
    members,
    movements,
)
from members.tables import Identity, MemberKey, table

identities, keys = table(Identity), table(MemberKey)


def _unbalanced(connection: Connection) -> Iterator[Breach]:
    total = func.sum(entries.c.amount)
    bad = select(entries.c.movement_id, total).group_by(entries.c.movement_id).having(total != 0)
    for movement, found in connection.execute(bad):
        yield Breach("分录不平", f"movement {movement}", f"{found}")
    empty = select(movements.c.id).where(
        ~select(entries.c.movement_id).where(entries.c.movement_id == movements.c.id).exists()
    )
    for (movement,) in connection.execute(empty):
        yield Breach("没有分录", f"movement {movement}", "0")
    astray = select(entries.c.movement_id, entries.c.line_no).select_from(
        entries.join(accounts, entries.c.account_id == accounts.c.id)
    )
    whose = entries.c.member_id.is_distinct_from(accounts.c.member_id)
    for movement, line_no in connection.execute(astray.where(whose)):
        yield Breach("分录归属不符", f"movement {movement} line {line_no}", "")


def _balances(connection: Connection) -> Iterator[Breach]:
    total = func.coalesce(func.sum(entries.c.amount), 0)
    joined = accounts.outerjoin(entries, entries.c.account_id == accounts.c.id)
    bad = (
        select(accounts.c.id, accounts.c.balance, total)
        .select_from(joined)
        .where(accounts.c.member_id.is_not(None))
        .group_by(accounts.c.id, accounts.c.balance)
        .having(accounts.c.balance != total)
    )
    for account, balance, found in connection.execute(bad):
        yield Breach("余额与分录不符", f"account {account}", f"{balance} ≠ {found}")


def _signs(connection: Connection) -> Iterator[Breach]:
    owed = accounts.c.kind == "owed"
    bad = or_(and_(owed, accounts.c.balance > 0), and_(~owed, accounts.c.balance < 0))
    for account, balance in connection.execute(select(accounts.c.id, accounts.c.balance).where(bad)):
        yield Breach("余额正负不对", f"account {account}", f"{balance}")


def _lots(connection: Connection) -> Iterator[Breach]:
    """Each lot holds what its uses left of it; together, what the member's account of that kind says."""
    left = lots.c.amount - func.coalesce(func.sum(lot_uses.c.amount), 0)
    bad = (
        select(lots.c.id, lots.c.remaining, left)
        .select_from(lots.outerjoin(lot_uses))
        .group_by(lots.c.id, lots.c.amount, lots.c.remaining)
        .having(lots.c.remaining != left)
    )
    for lot, remaining, found in connection.execute(bad):
        yield Breach("批次余量不符", f"lot {lot}", f"{remaining} ≠ {found}")
    held = union_all(
        select(accounts.c.member_id, accounts.c.kind, accounts.c.balance.label("many")).where(
            accounts.c.kind.in_(LOT_KINDS), accounts.c.member_id.is_not(None)
        ),
        select(lots.c.member_id, lots.c.account, -lots.c.remaining),
    ).subquery()
    off = func.sum(held.c.many)
    for member, kind, found in connection.execute(
        select(held.c.member_id, held.c.kind, off).group_by(held.c.member_id, held.c.kind).having(off != 0)
    ):
        yield Breach("积分与批次不符", f"member {member} {kind}", f"{found}")
    undated = and_(lots.c.account == "pending", lots.c.matures_at.is_(None))
    for (lot,) in connection.execute(select(lots.c.id).where(undated)):
        yield Breach("待生效积分没有日期", f"lot {lot}", "")


def _lot_moves(connection: Connection) -> Iterator[Breach]:
    """What a movement put on or took off an account of lots is what it opened of lots, less what it used of them."""
    moved = union_all(
        select(entries.c.movement_id, entries.c.member_id, accounts.c.kind, entries.c.amount.label("many"))
        .select_from(entries.join(accounts, entries.c.account_id == accounts.c.id))
        .where(accounts.c.member_id.is_not(None), accounts.c.kind.in_(LOT_KINDS)),
        select(lots.c.movement_id, lots.c.member_id, lots.c.account, -lots.c.amount),
        select(lot_uses.c.movement_id, lots.c.member_id, lots.c.account, lot_uses.c.amount).select_from(
            lot_uses.join(lots)
        ),
    ).subquery()
    off = func.sum(moved.c.many)
    columns = (moved.c.movement_id, moved.c.member_id, moved.c.kind)
    for movement, member, kind, found in connection.execute(
        select(*columns, off).group_by(*columns).having(off != literal_column("0"))
    ):
        yield Breach("分录与批次不符", f"movement {movement} member {member} {kind}", f"{found}")


def _chains(connection: Connection) -> Iterator[Breach]:
    """Recompute every member's hash chain, and the balance after each line, from the first line."""
    rows = connection.execute(
        select(
            entries.c.member_id, entries.c.seq, entries.c.amount, entries.c.balance_after, entries.c.hash,
            accounts.c.kind.label("account"), movements.c.key, movements.c.kind, movements.c.at, movements.c.actor,
            movements.c.reason,
        )
        .select_from(entries.join(accounts, entries.c.account_id == accounts.c.id).join(movements))
        .where(entries.c.member_id.is_not(None))
        .order_by(entries.c.member_id, entries.c.seq),
        execution_options={"yield_per": 2000},
    )  # fmt: skip
    heads: dict[int, tuple[int, bytes]] = {}
    owned: dict[tuple[int, str], int] = {}
    broken: set[int] = set()
    for row in rows:
        seq, link = heads.get(row.member_id, (0, b""))
        booking = Booking(row.key, row.kind, row.actor, row.at, (), reason=row.reason)
        leg = Leg(row.account, row.amount, row.member_id)
        link = chain(link, canonical(booking, leg, row.seq, row.balance_after))
        after = owned[row.member_id, row.account] = owned.get((row.member_id, row.account), 0) + row.amount
        if row.member_id not in broken and (row.seq != seq + 1 or link != row.hash or after != row.balance_after):
            broken.add(row.member_id)
            yield Breach("账链断裂", f"member {row.member_id}", f"seq {row.seq}")
        heads[row.member_id] = (row.seq, bytes(row.hash))
    for member, seq, link in connection.execute(select(members.c.id, members.c.chain_seq, members.c.chain_hash)):
        if heads.get(member, (0, b"")) != (seq, bytes(link)) and member not in broken:
            yield Breach("账链末端不符", f"member {member}", f"seq {seq}")


def _merged(connection: Connection) -> Iterator[Breach]:
    """Who was joined to another owns nothing and speaks for nobody."""
    merged = members.c.state == "merged"
    nowhere = merged != members.c.merged_into.is_not(None)
    for (member,) in connection.execute(select(members.c.id).where(nowhere)):
        yield Breach("并入对象不符", f"member {member}", "")
    owning = select(accounts.c.member_id, accounts.c.kind, accounts.c.balance).select_from(
        accounts.join(members, accounts.c.member_id == members.c.id)
    )
    for member, kind, balance in connection.execute(owning.where(merged, accounts.c.balance != 0)):
        yield Breach("并走的会员还有余额", f"member {member} {kind}", f"{balance}")
    speaking = select(identities.c.member_id, identities.c.kind).select_from(identities.join(members))
    for member, kind in connection.execute(speaking.where(merged, identities.c.ended_at.is_(None))):
        yield Breach("并走的会员还有身份", f"member {member} {kind}", "")


def _erased(connection: Connection) -> Iterator[Breach]:
    """Who was forgotten owns nothing, speaks for nobody, and has no key that would open what was sealed."""
    erased = members.c.state == "erased"
    owning = select(accounts.c.member_id, accounts.c.kind, accounts.c.balance).select_from(
        accounts.join(members, accounts.c.member_id == members.c.id)
    )
    for member, kind, balance in connection.execute(owning.where(erased, accounts.c.balance != 0)):
        yield Breach("注销的会员还有余额", f"member {member} {kind}", f"{balance}")
    speaking = select(identities.c.member_id, identities.c.kind).select_from(identities.join(members))
    for member, kind in connection.execute(speaking.where(erased, identities.c.ended_at.is_(None))):
        yield Breach("注销的会员还有身份", f"member {member} {kind}", "")
    kept = select(keys.c.member_id).select_from(keys.join(members, keys.c.member_id == members.c.id))
    for (member,) in connection.execute(kept.where(erased)):
        yield Breach("注销的会员还有密钥", f"member {member}", "")


CHECKS = (_unbalanced, _balances, _signs, _lots, _lot_moves, _chains, _merged, _erased)
