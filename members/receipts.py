"""Orders as the counter looks for them: what can still be given back, and where; what a member buys again and again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from members.tables import Order, OrderLine, Product, table

orders, lines, products = table(Order), table(OrderLine), table(Product)
_COLUMNS = (
    orders.c.id, orders.c.scope, orders.c.order_no, orders.c.store_id, orders.c.member_id, orders.c.at, orders.c.total,
    orders.c.refunded,
)  # fmt: skip
_OF_MEMBER = (
    select(*_COLUMNS)
    .where(orders.c.member_id == bindparam("member"), orders.c.refunded < orders.c.total)
    .order_by(orders.c.at.desc(), orders.c.id.desc())
    .limit(bindparam("many"))
)
_NUMBERED = (
    select(*_COLUMNS).where(orders.c.order_no.in_(bindparam("numbers", expanding=True))).order_by(orders.c.id.desc())
)
_FAVOURITES = (
    select(products.c.name, func.count().label("times"))
    .select_from(
        orders.join(lines, lines.c.order_id == orders.c.id).join(products, lines.c.product_id == products.c.id)
    )
    .where(orders.c.member_id == bindparam("member"), orders.c.at >= bindparam("since"))
    .group_by(products.c.id, products.c.name)
    .having(func.count() > 1)
    .order_by(func.count().desc(), func.max(orders.c.at).desc(), products.c.id)
    .limit(bindparam("many"))
)
_ONE = select(*_COLUMNS).where(orders.c.id == bindparam("which"))


@dataclass(frozen=True, slots=True)
class Sold:
    """One order and what of it, in 分, has not gone back yet."""

    id: int
    scope: str
    order_no: str
    store: str | None
    member: int | None
    at: datetime
    total: int
    left: int


def of_member(connection: Connection, member: int, store: str | None, *, everywhere: bool, many: int) -> list[Sold]:
    """Return the member's newest orders with something left to give back, of one store or of all."""
    wanted = _OF_MEMBER if everywhere else _OF_MEMBER.where(orders.c.store_id.is_not_distinct_from(store))
    return [_sold(row) for row in connection.execute(wanted, {"member": member, "many": many})]


def numbered(connection: Connection, number: str, store: str | None, *, everywhere: bool) -> list[Sold]:
    """Return the orders of this number, as it was typed or in capitals, of one store or of all; the newest first."""
    wanted = _NUMBERED if everywhere else _NUMBERED.where(orders.c.store_id.is_not_distinct_from(store))
    return [_sold(row) for row in connection.execute(wanted, {"numbers": [number, number.upper()]})]


def favourites(connection: Connection, member: int, *, since: datetime, many: int) -> list[tuple[str, int]]:
    """Return (name, orders) of the articles the member bought more than once since then, the most often first."""
    bound = {"member": member, "since": since, "many": many}
    return [(row.name, int(row.times)) for row in connection.execute(_FAVOURITES, bound)]


def find(connection: Connection, order: int) -> Sold | None:
    """Return an order by its id."""
    row = connection.execute(_ONE, {"which": order}).one_or_none()
    return None if row is None else _sold(row)


def _sold(row: Any) -> Sold:
    left = row.total - row.refunded
    return Sold(row.id, row.scope, row.order_no, row.store_id, row.member_id, row.at, row.total, left)
