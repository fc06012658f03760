"""Articles and their categories: kept up to date by the shop, and by receipts that name new ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert_into

from members.prepared import Prepared, among
from members.sales import NewLine
from members.tables import Category, Order, OrderLine, Product, table

_products, _categories, _lines, _orders = table(Product), table(Category), table(OrderLine), table(Order)
KEPT = or_(_lines.c.refunded_quantity == 0, _lines.c.quantity > _lines.c.refunded_quantity)
"""A line of which something has not come back: what was returned whole was not bought."""
PAID_FOR = or_(_lines.c.amount > 0, _orders.c.total == 0)
"""A line that cost something, or of a receipt that tells no prices: what came free beside a purchase was given."""
CHUNK = 500
_KNOWN = Prepared(
    select(_products.c.sku, _products.c.id, _products.c.category, _categories.c.name, _products.c.brand)
    .select_from(_products.outerjoin(_categories, _products.c.category == _categories.c.code))
    .where(among(_products.c.sku, "skus"))
)
_CODES = select(_categories.c.code, _categories.c.name).where(
    or_(*(column.in_(bindparam("said", expanding=True)) for column in (_categories.c.code, _categories.c.name)))
)
_NEW_CATEGORY = upsert_into(_categories).on_conflict_do_nothing()
_NEW = upsert_into(_products).on_conflict_do_nothing()
_PUT_CATEGORY = upsert_into(_categories)
_PUT_CATEGORY = _PUT_CATEGORY.on_conflict_do_update(
    index_elements=[_categories.c.code],
    set_={"name": _PUT_CATEGORY.excluded.name, "department": _PUT_CATEGORY.excluded.department},
)
_COLUMNS = (
    "name", "category", "type", "department", "manufacturer", "brand", "own_brand", "pack", "price", "active",
)  # fmt: skip
_PUT = upsert_into(_products)
_PUT = _PUT.on_conflict_do_update(
    index_elements=[_products.c.sku], set_={name: _PUT.excluded[name] for name in _COLUMNS}
)


@dataclass(frozen=True, slots=True)
class ProductRow:
    """One article as a shop describes it; `category` is a code, `category_name` what members read; price in 分."""

    sku: str
    name: str
    category: str = ""
    category_name: str = ""
    department: str = ""
    brand: str = ""
    manufacturer: str = ""
    type: str = ""
    pack: str = ""
    own_brand: bool = False
    price: int | None = None
    active: bool = True


class Article(NamedTuple):
    """What rules about goods look at."""

    id: int
    category: str
    category_name: str
    brand: str


def upsert(connection: Connection, rows: Sequence[ProductRow]) -> tuple[int, int]:
    """Write articles, new ones and known ones; return (new, known). Of a sku named twice the last counts."""
    by_sku = {row.sku: row for row in rows}
    named = {row.category: row for row in by_sku.values() if row.category}
    written = [
        {"code": code, "name": row.category_name or code, "department": row.department}
        for code, row in sorted(named.items())
    ]
    fresh = [row for row in written if named[str(row["code"])].category_name]
    if written:
        connection.execute(_NEW_CATEGORY, written)
    if fresh:
        connection.execute(_PUT_CATEGORY, fresh)
    skus, known = sorted(by_sku), 0
    for start in range(0, len(skus), CHUNK):
        chunk = skus[start : start + CHUNK]
        known += len(_KNOWN.rows(connection, {"skus": chunk}))
        connection.execute(_PUT, [_row(by_sku[sku]) for sku in chunk])
    return len(skus) - known, known


def _row(row: ProductRow) -> dict[str, Any]:
    values = asdict(row) | {"category": row.category or None}
    del values["category_name"]
    return values


def of_lines(connection: Connection, lines: Iterable[NewLine]) -> dict[str, Article]:
    """Return {sku: article}; what nobody knew becomes an article with the line's name, category and brand.

    New ones are written in the order of their skus, so that two receipts never wait for each other.
    """
    by_sku = {line.sku: line for line in lines}
    if not by_sku:
        return {}
    found = _read(connection, list(by_sku))
    unknown = [by_sku[sku] for sku in sorted(by_sku) if sku not in found]
    if unknown:
        _add(connection, unknown)
        found |= _read(connection, [line.sku for line in unknown])
    return found


def _read(connection: Connection, skus: Sequence[str]) -> dict[str, Article]:
    return {
        sku: Article(number, category or "", name or "", brand)
        for sku, number, category, name, brand in _KNOWN.rows(connection, {"skus": skus})
    }


def _add(connection: Connection, unknown: Sequence[NewLine]) -> None:
    codes = _codes(connection, sorted({line.category for line in unknown if line.category}))
    rows = [
        _row(ProductRow(line.sku, line.name or line.sku, category=codes.get(line.category, ""), brand=line.brand))
        for line in unknown
    ]
    connection.execute(_NEW, rows)


def _codes(connection: Connection, said: Sequence[str]) -> Mapping[str, str]:
    """Return {what a till calls a category: its code}; a new one is its own code."""
    if not said:
        return {}
    known = {name: code for row in connection.execute(_CODES, {"said": said}) for name, code in _both(row)}
    new = [text for text in said if text not in known]
    if new:
        connection.execute(_NEW_CATEGORY, [{"code": text, "name": text, "department": ""} for text in new])
    return known | {text: text for text in new}


def _both(row: Any) -> Sequence[tuple[str, str]]:
    return (row.name, row.code), (row.code, row.code)
