"""Purchases of single members by day, read from the books (everybody's: recommend/baskets.py), never after `now`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, func, select

from members.clock import business_date
from members.products import KEPT, PAID_FOR
from members.tables import Category, Order, OrderLine, Product, table
from recommend.rules import RecommendRules

By = Literal["category", "product"]
CHUNK = 500
orders, lines, products, categories = table(Order), table(OrderLine), table(Product), table(Category)


@dataclass(frozen=True, slots=True)
class Purchase:
    """What one member bought and kept of one item on a business day; `item`: a category code or a sku; amount in 分."""

    member: int
    item: str
    day: date
    quantity: int
    amount: int


Bought = Mapping[str, Sequence[Purchase]]
"""Of one member: item → purchases by ascending day, one a day."""


def _statement(by: By) -> Any:
    item = {"category": products.c.category, "product": products.c.sku}[by]
    quantity = func.sum(lines.c.quantity - lines.c.refunded_quantity)
    amount = func.sum(lines.c.amount - lines.c.refunded_amount)
    return (
        select(orders.c.member_id, item, orders.c.day, quantity, amount)
        .select_from(orders.join(lines, lines.c.order_id == orders.c.id).join(products))
        .where(
            orders.c.member_id.in_(bindparam("of", expanding=True)),
            orders.c.at <= bindparam("moment"),
            orders.c.day >= bindparam("since"),
            orders.c.state != "refunded",
            KEPT,
            PAID_FOR,
            item.is_not(None),
            products.c.category.is_distinct_from(None),
            products.c.category.not_in(bindparam("without", expanding=True)),
        )
        .group_by(orders.c.member_id, item, orders.c.day)
        .order_by(orders.c.member_id, item, orders.c.day)
    )


_READ = {"category": _statement("category"), "product": _statement("product")}
_NAMES = select(categories.c.code, categories.c.name)
_PRODUCT_NAMES = select(products.c.sku, products.c.name).where(products.c.sku.in_(bindparam("skus", expanding=True)))


def category_names(connection: Connection) -> dict[str, str]:
    """Return {code: what a member reads}."""
    return {row.code: row.name for row in connection.execute(_NAMES)}


def product_names(connection: Connection, skus: Sequence[str]) -> dict[str, str]:
    """Return {sku: name} of these articles."""
    return {row.sku: row.name for row in connection.execute(_PRODUCT_NAMES, {"skus": list(skus)})}


def excluded_codes(rules: RecommendRules, names: dict[str, str]) -> list[str]:
    """Return the category codes that the configuration excludes by code or by name."""
    wanted = set(rules.exclude)
    return sorted(code for code, name in names.items() if code in wanted or name in wanted)


def read(
    connection: Connection, members: Sequence[int], *, now: datetime, zone: ZoneInfo, rules: RecommendRules,
    without: Sequence[str] = (), by: By = "category",
) -> Iterator[tuple[int, Bought]]:  # fmt: skip
    """Yield (member, {item: purchases by ascending day}) of those who bought within the look-back, in chunks.

    Nothing later than `now` is read, so that a replay of the past sees only its own past.
    """
    since = business_date(now, zone) - timedelta(days=rules.look_back_days)
    for start in range(0, len(members), CHUNK):
        bound = {"of": list(members[start : start + CHUNK]), "moment": now, "since": since, "without": list(without)}
        rows = connection.execute(_READ[by], bound)
        bought = (Purchase(row[0], row[1], row[2], int(row[3]), int(row[4])) for row in rows)
        for member, mine in groupby(bought, key=lambda purchase: purchase.member):
            yield member, {item: list(days) for item, days in groupby(mine, key=lambda purchase: purchase.item)}
