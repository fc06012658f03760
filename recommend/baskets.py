"""What everybody has bought lately, over a bounded window of the newest receipts, and what is on the shelf today.

Only what at least three different buyers took counts: a list for everybody tells nothing of anybody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, func, select

from members.clock import business_date
from members.products import KEPT
from members.tables import Category, Order, OrderLine, Product, table

WINDOW_DAYS, WINDOW_ORDERS = 28, 2000
BUYERS, SKUS_AT_ONCE = 3, 500
orders, lines, products, categories = table(Order), table(OrderLine), table(Product), table(Category)
_window = (
    select(orders.c.id, func.coalesce(orders.c.member_id, -orders.c.id).label("buyer"))
    .where(
        orders.c.day >= bindparam("since"), orders.c.day <= bindparam("today"), orders.c.at <= bindparam("moment"),
        orders.c.state != "refunded",
    )
    .order_by(orders.c.day.desc(), orders.c.id.desc())
    .limit(WINDOW_ORDERS)
    .subquery()
)  # fmt: skip
_buyers = func.count(func.distinct(_window.c.buyer))
_SOLD = (
    products.c.active,
    products.c.category.is_not(None),
    products.c.category.not_in(bindparam("without", expanding=True)),
)
_POPULAR = (
    select(products.c.sku, _buyers.label("buyers"))
    .select_from(_window.join(lines, lines.c.order_id == _window.c.id).join(products))
    .where(*_SOLD, KEPT)
    .group_by(products.c.sku)
    .having(_buyers >= BUYERS)
    .order_by(_buyers.desc(), products.c.sku)
    .limit(bindparam("many"))
)
_mine, _own = lines.alias("mine"), products.alias("own")
_TOGETHER = (
    select(products.c.sku, _own.c.sku.label("with_sku"), _buyers.label("buyers"))
    .select_from(
        _window.join(_mine, _mine.c.order_id == _window.c.id)
        .join(_own, (_own.c.id == _mine.c.product_id) & _own.c.sku.in_(bindparam("skus", expanding=True)))
        .join(lines, (lines.c.order_id == _window.c.id) & (lines.c.product_id != _mine.c.product_id))
        .join(products, products.c.id == lines.c.product_id)
    )
    .where(*_SOLD, KEPT)
    .group_by(products.c.sku, _own.c.sku)
    .having(_buyers >= BUYERS)
    .order_by(_buyers.desc(), products.c.sku, _own.c.sku)
    .limit(bindparam("many"))
)
_PIECES = (
    select(products.c.sku, func.sum(lines.c.quantity - lines.c.refunded_quantity))
    .select_from(orders.join(lines, lines.c.order_id == orders.c.id).join(products))
    .where(
        orders.c.day >= bindparam("since"), orders.c.day < bindparam("today"), orders.c.at <= bindparam("moment"),
        orders.c.state != "refunded", KEPT,
    )
    .group_by(products.c.sku)
)  # fmt: skip
_GOODS = (
    select(
        products.c.sku, products.c.name, products.c.category, categories.c.name.label("category_name"),
        products.c.brand, products.c.price, products.c.active,
    )
    .select_from(products.outerjoin(categories, products.c.category == categories.c.code))
    .where(products.c.sku.in_(bindparam("skus", expanding=True)))
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Goods:
    """One article as it is on the shelf; price in 分 where it is known."""

    sku: str
    name: str
    category: str
    category_name: str
    brand: str
    price: int | None
    active: bool


def _bound(now: datetime, zone: ZoneInfo, without: Sequence[str]) -> dict[str, object]:
    today = business_date(now, zone)
    return {"since": today - timedelta(days=WINDOW_DAYS), "today": today, "moment": now, "without": list(without)}


def popular(
    connection: Connection, *, now: datetime, zone: ZoneInfo, without: Sequence[str], many: int
) -> list[tuple[str, int]]:
    """Return (sku, buyers) of what most buyers have taken lately, of what is sold today; ties go by sku."""
    rows = connection.execute(_POPULAR, _bound(now, zone, without) | {"many": many})
    return [(row.sku, int(row.buyers)) for row in rows]


def together(
    connection: Connection, skus: Sequence[str], *, now: datetime, zone: ZoneInfo, without: Sequence[str], many: int
) -> list[tuple[str, str, int]]:
    """Return (sku, one of these skus, buyers) of what is bought on one receipt with these, the most often first."""
    if not skus:
        return []
    rows = connection.execute(_TOGETHER, _bound(now, zone, without) | {"skus": list(skus), "many": many})
    return [(row.sku, row.with_sku, int(row.buyers)) for row in rows]


def pieces_sold(connection: Connection, *, now: datetime, zone: ZoneInfo, days: int) -> dict[str, int]:
    """Return {sku: pieces sold and kept} of so many whole days before today, to members and to others."""
    today = business_date(now, zone)
    bound = {"since": today - timedelta(days=days), "today": today, "moment": now}
    return {sku: int(pieces) for sku, pieces in connection.execute(_PIECES, bound)}


def look_up(connection: Connection, shelf: dict[str, Goods | None], skus: set[str]) -> None:
    """Put these skus on the shelf unless they stand there already; None for one that is nowhere in the books."""
    fresh = sorted(skus - shelf.keys())
    for start in range(0, len(fresh), SKUS_AT_ONCE):
        some = fresh[start : start + SKUS_AT_ONCE]
        known = goods(connection, some)
        shelf.update({sku: known.get(sku) for sku in some})


def goods(connection: Connection, skus: Sequence[str]) -> Mapping[str, Goods]:
    """Return {sku: article}, also of those that are not sold any more."""
    rows = connection.execute(_GOODS, {"skus": list(skus)})
    return {
        row.sku: Goods(
            row.sku, row.name, row.category or "", row.category_name or "", row.brand, row.price, bool(row.active)
        )
        for row in rows
    }
