"""Every invariant of the books, checked from the rows alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from members.ledger import Booking, Leg, canonical, chain
from members.tables import (
    Account,
    Coupon,
    CouponGrant,
    CouponTemplate,
    Entry,
    Member,
    Movement,
    Outbox,
    PointLot,
    table,
)

accounts, entries, movements, members = table(Account), table(Entry), table(Movement), table(Member)
lots, coupons, grants, templates = table(PointLot), table(Coupon), table(CouponGrant), table(CouponTemplate)
outbox = table(Outbox)


@dataclass(frozen=True, slots=True)
class Breach:
    """One invariant that does not hold, on what, and what was found."""

    check: str
    subject: str
    found: str


def breaches(connection: Connection, *, now: datetime) -> list[Breach]:
    """Return every breach; empty when all is well."""
    checks = (_unbalanced, _balances, _lots, _chains, _coupons, _grants, _redeemed, _outbox)
    return [breach for check in checks for breach in check(connection)]


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


def _lots(connection: Connection) -> Iterator[Breach]:
    remaining = (
        select(lots.c.member_id, func.sum(lots.c.remaining).label("total")).group_by(lots.c.member_id).subquery()
    )
    held = func.coalesce(remaining.c.total, 0)
    bad = (
        select(accounts.c.member_id, accounts.c.balance, held)
        .select_from(accounts.outerjoin(remaining, remaining.c.member_id == accounts.c.member_id))
        .where(accounts.c.kind == "points", accounts.c.member_id.is_not(None), accounts.c.balance != held)
    )
    for member, balance, found in connection.execute(bad):
        yield Breach("积分与批次不符", f"member {member}", f"{balance} ≠ {found}")


def _chains(connection: Connection) -> Iterator[Breach]:
    """Recompute every member's hash chain from its first line."""
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
    broken: set[int] = set()
    for row in rows:
        seq, link = heads.get(row.member_id, (0, b""))
        booking = Booking(row.key, row.kind, row.actor, row.at, (), reason=row.reason)
        leg = Leg(row.account, row.amount, row.member_id)
        link = chain(link, canonical(booking, leg, row.seq, row.balance_after))
        if (row.seq != seq + 1 or link != row.hash) and row.member_id not in broken:
            broken.add(row.member_id)
            yield Breach("账链断裂", f"member {row.member_id}", f"seq {row.seq}")
        heads[row.member_id] = (row.seq, bytes(row.hash))
    for member, seq, link in connection.execute(select(members.c.id, members.c.chain_seq, members.c.chain_hash)):
        if heads.get(member, (0, b"")) != (seq, bytes(link)) and member not in broken:
            yield Breach("账链末端不符", f"member {member}", f"seq {seq}")


def _coupons(connection: Connection) -> Iterator[Breach]:
    issued = select(coupons.c.template, func.count().label("total")).group_by(coupons.c.template).subquery()
    found = func.coalesce(issued.c.total, 0)
    bad = (
        select(templates.c.code, templates.c.issued, found)
        .select_from(templates.outerjoin(issued, issued.c.template == templates.c.code))
        .where(templates.c.issued != found)
    )
    for template, counted, total in connection.execute(bad):
        yield Breach("发券数不符", f"template {template}", f"{counted} ≠ {total}")


def _grants(connection: Connection) -> Iterator[Breach]:
    held = (
        select(coupons.c.template, coupons.c.member_id, func.count().label("total"))
        .group_by(coupons.c.template, coupons.c.member_id)
        .subquery()
    )
    same = (held.c.template == grants.c.template) & (held.c.member_id == grants.c.member_id)
    found = func.coalesce(held.c.total, 0)
    bad = (
        select(grants.c.template, grants.c.member_id, grants.c.count, found)
        .select_from(grants.outerjoin(held, same))
        .where(grants.c.count != found)
    )
    for template, member, counted, total in connection.execute(bad):
        yield Breach("每人领券数不符", f"template {template} member {member}", f"{counted} ≠ {total}")


def _redeemed(connection: Connection) -> Iterator[Breach]:
    wrong = (coupons.c.state == "redeemed") != coupons.c.redeemed_at.is_not(None)
    for (coupon,) in connection.execute(select(coupons.c.id).where(wrong)):
        yield Breach("核销时间不符", f"coupon {coupon}", "")


def _outbox(connection: Connection) -> Iterator[Breach]:
    unsent = (outbox.c.state == "sent") & (outbox.c.channel == "")
    for (row,) in connection.execute(select(outbox.c.id).where(unsent)):
        yield Breach("已发送却没有渠道", f"outbox {row}", "")
