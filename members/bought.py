"""What a member bought, less what came back: the newest receipt, and the sum of a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, bindparam, func, select

from members.products import KEPT
from members.tables import Order, OrderLine, Product, Store, table

orders, lines, articles, stores = table(Order), table(OrderLine), table(Product), table(Store)
_LAST = (
    select(
        orders.c.id, orders.c.order_no, orders.c.at, orders.c.total, orders.c.discount, orders.c.refunded,
        stores.c.name.label("store"),
    )
    .select_from(orders.outerjoin(stores, orders.c.store_id == stores.c.id))
    .where(orders.c.member_id == bindparam("member"), orders.c.state != "refunded")
    .order_by(orders.c.at.desc(), orders.c.id.desc())
    .limit(1)
)  # fmt: skip
_LINES = (
    select(
        articles.c.name, lines.c.quantity - lines.c.refunded_quantity, lines.c.amount - lines.c.refunded_amount
    )
    .select_from(lines.join(articles, lines.c.product_id == articles.c.id))
    .where(lines.c.order_id == bindparam("which"), KEPT)
    .order_by(lines.c.line_no)
)  # fmt: skip
_SPENT = select(func.coalesce(func.sum(orders.c.total - orders.c.refunded), 0)).where(
    orders.c.member_id == bindparam("member"), orders.c.day > bindparam("since"), orders.c.day <= bindparam("until")
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """One order as a member reads it, less what came back; amounts in 分, lines as (name, quantity, amount)."""

    order_no: str
    at: datetime
    store: str
    total: int
    discount: int
    lines: Sequence[tuple[str, int, int]]


def last(connection: Connection, member: int) -> Receipt | None:
    """Return the member's newest order that was not given back whole."""
    row = connection.execute(_LAST, {"member": member}).one_or_none()
    if row is None:
        return None
    found = [(name, quantity, amount) for name, quantity, amount in connection.execute(_LINES, {"which": row.id})]
    return Receipt(row.order_no, row.at, row.store or "", row.total - row.refunded, row.discount, found)


def spent(connection: Connection, member: int, *, since: date, until: date) -> int:
    """Return 分 paid and not given back, on business days after `since` up to `until`."""
    bound = {"member": member, "since": since, "until": until}
    return int(connection.execute(_SPENT, bound).scalar_one())
