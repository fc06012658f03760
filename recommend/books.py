"""The purchase matrix out of the books: every member's receipts up to a moment, as compact columns, read in portions.

Items are product ids. What came free beside something paid for was given, not bought. A return is a line of its own on
the day it was made, so that what was known on an earlier morning can be told, and knows the day of its sale; the sale
closed as nothing counts as never made.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from members.clock import business_date
from members.products import PAID_FOR
from members.tables import Category, Member, Order, OrderLine, Product, Refund, table
from recommend.matrix import BadPurchases, PurchaseLog, from_arrays

PORTION = 50_000
EPOCH = date(1970, 1, 1)
orders, lines, products, categories = table(Order), table(OrderLine), table(Product), table(Category)
members, refunds = table(Member), table(Refund)
Told = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is told of the items of a log, one entry each: sku, name, category code and name, price, own brand.

    `type` is the type within its category, `kind` what the type is called."""

    sku: NDArray[Any]
    name: NDArray[Any]
    category: NDArray[Any]
    category_name: NDArray[Any]
    type: NDArray[Any]
    kind: NDArray[Any]
    price: NDArray[np.int64]
    own: NDArray[np.bool_]
    active: NDArray[np.bool_]

    def picked(self, rows: NDArray[Any]) -> "Shelf":
        """Return the entries at these places."""
        return Shelf(*(getattr(self, column.name)[rows] for column in fields(self)))

    def category_of(self) -> dict[str, str]:
        """Return {sku: category code}."""
        return dict(zip(self.sku.tolist(), self.category.tolist(), strict=True))


def day_number(day: date) -> int:
    """Return days since 1970, the log's way to count."""
    return (day - EPOCH).days


def day_of(number: int) -> date:
    """Return the date of a day number."""
    return date.fromordinal(EPOCH.toordinal() + int(number))


def read(
    connection: Connection, *, now: datetime, zone: ZoneInfo, day_start: time = time(), without: Sequence[str] = (),
    told: Told = lambda rows: None,
) -> PurchaseLog:  # fmt: skip
    """Return what active members bought up to `now`, lines by member, day and product id; amounts in 分.

    `without`: category codes to leave out, with what has no category. `told` gets the rows of each portion.
    BadPurchases when there is nothing.
    """
    sold = list(_portions(connection, _sold(now, without), told))
    back = list(_returned(connection, now, zone, day_start, without))
    columns = np.concatenate([*sold, np.array(back, dtype=np.int64).reshape(-1, 6)]).T
    if not columns.shape[1]:
        raise BadPurchases("no purchases")
    return from_arrays(columns[0], columns[1], columns[2], columns[3], columns[4], sold=columns[5], dated=True)


def receipts(connection: Connection, *, now: datetime, told: Told = lambda rows: None) -> PurchaseLog:
    """Return what active members paid up to `now`, whatever it was for: a row a member and day, one item, net 分.

    A receipt that was taken back whole was none; of another what came back by now is taken off. BadPurchases when
    there is nothing.
    """
    wanted = (
        select(orders.c.member_id, orders.c.day, orders.c.total - orders.c.refunded)
        .select_from(orders.join(members, members.c.id == orders.c.member_id))
        .where(members.c.state == "active", orders.c.at <= now, orders.c.state != "refunded")
    )
    found = [np.zeros((0, 3), dtype=np.int64)]
    rows = connection.execution_options(stream_results=True, yield_per=PORTION).execute(wanted)
    for portion in rows.partitions(PORTION):
        member, day, amount = zip(*portion, strict=True)
        told(len(portion))
        found.append(np.stack([np.array(member), _numbers(day), np.array(amount)], axis=1))
    columns = np.concatenate(found).T
    if not columns.shape[1]:
        raise BadPurchases("no receipts")
    item = np.zeros(columns.shape[1], dtype=np.int64)
    return from_arrays(columns[0], columns[1], item, item + 1, columns[2], dated=True)


def uncategorised(connection: Connection) -> int:
    """Return how many lines members bought of articles without a category, which no log of the books holds.

    Whether such an article may be recommended (recommend.exclude) can't be told.
    """
    none = products.c.category.is_(None)
    if connection.execute(select(products.c.id).where(none).limit(1)).scalar_one_or_none() is None:
        return 0
    counted = _lines(func.count()).where(members.c.state == "active", none)
    return int(connection.execute(counted).scalar_one())


def nothing(connection: Connection, otherwise: str) -> str:
    """Return why there is no article to read in the books, in Chinese."""
    without = uncategorised(connection)
    if without:
        return f"购买的商品都没有品类({without} 行):先用 import products 写上品类"
    paid = select(orders.c.id).where(orders.c.member_id.is_not(None), orders.c.state != "refunded").limit(1)
    if connection.execute(paid).first() is not None:
        return "会员的小票上没有商品明细:import orders 要一行一件"
    return otherwise


def _sold(now: datetime, without: Sequence[str]) -> Any:
    closed = (orders.c.state == "refunded") & (orders.c.total == 0)
    return _lines(orders.c.member_id, orders.c.day, lines.c.product_id, lines.c.quantity, lines.c.amount).where(
        members.c.state == "active", orders.c.at <= now, ~closed, PAID_FOR, _wanted(without)
    )


def _lines(*columns: Any) -> Any:
    return select(*columns).select_from(
        orders.join(lines, lines.c.order_id == orders.c.id)
        .join(products, products.c.id == lines.c.product_id)
        .join(members, members.c.id == orders.c.member_id)
    )


def _wanted(without: Sequence[str]) -> Any:
    return products.c.category.is_not(None) & products.c.category.not_in(list(without))


def _portions(connection: Connection, statement: Any, told: Told) -> Iterator[NDArray[np.int64]]:
    rows = connection.execution_options(stream_results=True, yield_per=PORTION).execute(statement)
    for portion in rows.partitions(PORTION):
        member, day, item, quantity, amount = zip(*portion, strict=True)
        told(len(portion))
        numbers = _numbers(day)
        yield np.stack([np.array(column) for column in (member, numbers, item, quantity, amount, numbers)], axis=1)


def _numbers(days: Sequence[date]) -> NDArray[np.int64]:
    return np.array([one.toordinal() for one in days], dtype=np.int64) - EPOCH.toordinal()


def _returned(
    connection: Connection, now: datetime, zone: ZoneInfo, day_start: time, without: Sequence[str]
) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Yield what came back as (member, day, product, −pieces, −分, day of the sale).

    A refund that names lines gives them back on its day. What else the lines say came back (a sale taken back whole, a
    refund of the rest) went with the last refund, or without any on the day of the sale.
    """
    events = _events(connection, now, zone, day_start)
    given = _lines(
        orders.c.id,
        orders.c.member_id,
        orders.c.day,
        lines.c.line_no,
        lines.c.product_id,
        lines.c.refunded_quantity,
        lines.c.refunded_amount,
    ).where(members.c.state == "active", orders.c.at <= now, lines.c.refunded_quantity > 0, PAID_FOR, _wanted(without))
    for order, member, sold, line, product, pieces, amount in connection.execute(given):
        last, rest, money = sold, pieces, amount
        for day, known, named in events.get(order, ()):
            last = day if known else None
            some, paid = named.get(line, (0, 0))
            rest, money = rest - some, money - paid
            if some and known:
                yield member, day_number(day), product, -some, -paid, day_number(sold)
        if rest > 0 and last is not None:
            yield member, day_number(last), product, -rest, -max(0, money), day_number(sold)


def _events(
    connection: Connection, now: datetime, zone: ZoneInfo, day_start: time
) -> dict[int, list[tuple[date, bool, dict[int, tuple[int, int]]]]]:
    """Return {order: [(day of a refund, whether it was made by `now`, {line: (pieces, 分)})]} in their order."""
    found: dict[int, list[tuple[date, bool, dict[int, tuple[int, int]]]]] = {}
    wanted = select(refunds.c.order_id, refunds.c.at, refunds.c.detail).order_by(refunds.c.at, refunds.c.id)
    for order, at, detail in connection.execute(wanted):
        named = {int(line): (int(pieces), int(amount)) for line, _, pieces, amount in (detail or {}).get("lines", ())}
        found.setdefault(order, []).append((business_date(at, zone, day_start), at <= now, named))
    return found


def shelf(connection: Connection, items: NDArray[Any]) -> Shelf:
    """Return what is told of these product ids, in their order."""
    wanted = (
        select(
            products.c.id, products.c.sku, products.c.name, products.c.category, categories.c.name.label("group"),
            products.c.type, func.coalesce(products.c.price, 0).label("price"), products.c.own_brand, products.c.active,
        )
        .select_from(products.outerjoin(categories, categories.c.code == products.c.category))
    )  # fmt: skip
    known = {row.id: row for row in connection.execute(wanted)}
    rows = [known[item] for item in items.tolist()]
    return Shelf(
        np.array([row.sku for row in rows], dtype=object),
        np.array([row.name for row in rows], dtype=object),
        np.array([row.category or "" for row in rows], dtype=object),
        np.array([row.group or row.category or "" for row in rows], dtype=object),
        np.array([row.type and f"{row.category} {row.type}" for row in rows], dtype=object),
        np.array([row.type for row in rows], dtype=object),
        np.array([row.price for row in rows], dtype=np.int64),
        np.array([bool(row.own_brand) for row in rows], dtype=np.bool_),
        np.array([bool(row.active) for row in rows], dtype=np.bool_),
    )
