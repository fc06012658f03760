"""Receipts beside what came back on them and what the ledger booked for them; gifts beside their movements."""

from collections.abc import Iterator

from sqlalchemy import Connection, and_, case, func, or_, select

from members.auditing.breach import Breach
from members.ledger import accounts, entries, movements
from members.tables import GiftGrant, Order, OrderLine, Refund, table

orders, lines, refunds, gifts = table(Order), table(OrderLine), table(Refund), table(GiftGrant)


def _refunds(connection: Connection) -> Iterator[Breach]:
    """`refunded` is what the refunds add up to; none gives back more principal, gift or points than it may."""
    came_back = (refunds.c.amount, refunds.c.principal_back, refunds.c.gift_back)
    sums = [func.coalesce(func.sum(column), 0) for column in came_back]
    per_order = (orders.c.id, orders.c.refunded, orders.c.paid_principal, orders.c.paid_gift)
    bad = (
        select(orders.c.id, orders.c.refunded, *sums)
        .select_from(orders.outerjoin(refunds))
        .group_by(*per_order)
        .having(or_(orders.c.refunded != sums[0], sums[1] > orders.c.paid_principal, sums[2] > orders.c.paid_gift))
    )
    for order, refunded, amount, principal, gift in connection.execute(bad):
        yield Breach("退款与订单不符", f"order {order}", f"{refunded} ≠ {amount} ({principal}, {gift})")
    more = select(refunds.c.id).where(or_(refunds.c.points_taken > refunds.c.points_due, refunds.c.points_taken < 0))
    for (refund,) in connection.execute(more):
        yield Breach("退款多扣了积分", f"refund {refund}", "")


def _states(connection: Connection) -> Iterator[Breach]:
    right = case(
        (orders.c.total == 0, orders.c.state.in_(("paid", "refunded"))),
        (orders.c.refunded == 0, orders.c.state == "paid"),
        (orders.c.refunded == orders.c.total, orders.c.state == "refunded"),
        else_=orders.c.state == "part_refunded",
    )
    for order, state in connection.execute(select(orders.c.id, orders.c.state).where(~right)):
        yield Breach("订单状态不符", f"order {order}", f"{state}")


def _lines(connection: Connection) -> Iterator[Breach]:
    """No line gives back more than was bought on it, and all lines no more than the order did."""
    more = or_(
        and_(lines.c.quantity >= 0, lines.c.refunded_quantity > lines.c.quantity),
        and_(lines.c.amount >= 0, lines.c.refunded_amount > lines.c.amount),
        lines.c.refunded_quantity < 0, lines.c.refunded_amount < 0,
    )  # fmt: skip
    for order, number in connection.execute(select(lines.c.order_id, lines.c.line_no).where(more)):
        yield Breach("退货多于所买", f"order {order} line {number}", "")
    back = func.sum(lines.c.refunded_amount)
    over = (
        select(orders.c.id, orders.c.refunded, back)
        .select_from(orders.join(lines))
        .where(lines.c.refunded_amount != 0)
        .group_by(orders.c.id, orders.c.refunded)
        .having(back > orders.c.refunded)
    )
    for order, refunded, found in connection.execute(over):
        yield Breach("退货行与退款不符", f"order {order}", f"{refunded} < {found}")


def _paid(connection: Connection) -> Iterator[Breach]:
    """What an order says was paid with balance is what the ledger took for it."""
    for kind, said in (("principal", orders.c.paid_principal), ("gift", orders.c.paid_gift)):
        taken = (
            select(movements.c.order_id, func.sum(-entries.c.amount).label("total"))
            .select_from(entries.join(movements).join(accounts, entries.c.account_id == accounts.c.id))
            .where(movements.c.kind == "pay", accounts.c.kind == kind, movements.c.order_id.is_not(None))
            .group_by(movements.c.order_id)
            .subquery()
        )
        found = func.coalesce(taken.c.total, 0)
        joined = orders.outerjoin(taken, taken.c.order_id == orders.c.id)
        bad = select(orders.c.id, said, found).select_from(joined).where(said != found)
        for order, paid, booked in connection.execute(bad):
            yield Breach("余额支付与账不符", f"order {order} {kind}", f"{paid} ≠ {booked}")


def _gifts(connection: Connection) -> Iterator[Breach]:
    """A gift of points was booked with these points, and no more was taken back than was given."""
    more = or_(gifts.c.taken_back > gifts.c.points, gifts.c.taken_back < 0)
    for (key,) in connection.execute(select(gifts.c.key).where(more)):
        yield Breach("赠送多收回了", f"gift {key}", "")
    issued = (
        select(entries.c.movement_id, func.sum(-entries.c.amount).label("total"))
        .select_from(entries.join(accounts, entries.c.account_id == accounts.c.id))
        .where(accounts.c.kind == "issuer", accounts.c.member_id.is_(None))
        .group_by(entries.c.movement_id)
        .subquery()
    )
    found = func.coalesce(issued.c.total, 0)
    joined = gifts.outerjoin(issued, issued.c.movement_id == gifts.c.movement_id)
    bad = select(gifts.c.key, gifts.c.points, found).select_from(joined).where(gifts.c.points != found)
    for key, points, booked in connection.execute(bad):
        yield Breach("赠送与账不符", f"gift {key}", f"{points} ≠ {booked}")


CHECKS = (_refunds, _states, _lines, _paid, _gifts)
