"""The demo shop without its members: stores, categories, products, coupon templates; the same for every slice."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select

from members.bulk import insert_rows, take_ids
from members.db import Database
from members.importing.completejourney_names import (
    UNCLASSIFIED,
    categories,
    departments,
    product_name,
    store_name,
    store_place,
)
from members.importing.completejourney_source import Article, Lines, Numbers
from members.importing.progress import Progress
from members.tables import Category, CouponTemplate, Product, Store, table

SOURCE = "completejourney"
OWN_BRAND = "Private"
CHUNK = 20_000
MOSTLY = 0.4
HOW = "购买指定商品，结账时出示券码"
stores, shelf, products, templates = table(Store), table(Category), table(Product), table(CouponTemplate)
_PRODUCT_COLUMNS = (
    "id", "sku", "name", "category", "type", "department", "manufacturer", "own_brand", "pack", "price", "active",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where a product of the package is in the books: `external` rising, `rows` beside it."""

    external: Numbers
    rows: Numbers

    def rows_of(self, external: Numbers) -> Numbers:
        """Return the product row ids of external ids, all of which are known."""
        return self.rows[np.searchsorted(self.external, external)]


def template_code(coupon: int) -> str:
    """Return the code of the template of a coupon of the package."""
    return f"cj-{coupon}"


def with_unlisted(articles: list[Article], lines: Lines) -> list[Article]:
    """Return the catalogue, with a stand-in for each product that was sold but never listed."""
    listed = np.array([article.id for article in articles], dtype=np.int64)
    missing = np.setdiff1d(lines.product, listed).tolist()
    stand_ins = [Article(product, 0, "", "", UNCLASSIFIED, "", "") for product in missing]
    return sorted([*articles, *stand_ins], key=lambda article: article.id)


def typical_prices(lines: Lines) -> dict[int, int]:
    """Return {product: median unit price in 分, half up; the lower of two middles}, of what was not free."""
    paid = lines.pick(lines.sales > 0)
    price = (2 * paid.sales + paid.quantity) // (2 * paid.quantity)
    order = np.lexsort((price, paid.product))
    product, price = paid.product[order], price[order]
    found, first, many = np.unique(product, return_index=True, return_counts=True)
    return dict(zip(found.tolist(), price[first + (many - 1) // 2].tolist(), strict=True))


def write_stores(connection: Connection, lines: Lines) -> int:
    """Write the stores that are not in the books yet, named by how well visited they are; return how many."""
    _, first = np.unique(lines.basket, return_index=True)
    external, visits = np.unique(lines.store[first], return_counts=True)
    ranked = sorted(zip((-visits).tolist(), external.tolist(), strict=True))
    known = set(connection.scalars(select(stores.c.id)))
    rows = [
        {"id": str(store), "name": store_name(store, rank), **store_place(rank), "phone": "", "active": True}
        for rank, (_, store) in enumerate(ranked)
        if str(store) not in known
    ]
    if rows:
        connection.execute(insert(stores), rows)
    return len(rows)


def write_categories(connection: Connection) -> int:
    """Write the categories that are not in the books yet; return how many."""
    known = set(connection.scalars(select(shelf.c.code)))
    rows = [
        {"code": code, "name": name, "department": group}
        for code, (name, group) in categories().items()
        if code not in known
    ]
    if rows:
        connection.execute(insert(shelf), rows)
    return len(rows)


def _product_row(article: Article, price: int | None) -> tuple[Any, ...]:
    name = product_name(article.category, article.type, article.size)
    department = departments().get(article.department, article.department)
    own = article.brand == OWN_BRAND
    maker = str(article.manufacturer or "")
    return (
        str(article.id), name, article.category, article.type, department, maker, own, article.size, price, True,
    )  # fmt: skip


def write_products(
    database: Database, articles: Sequence[Article], prices: Mapping[int, int], progress: Progress
) -> tuple[Shelf, int]:
    """Write the products that are not in the books yet, in short transactions; return the shelf and how many."""
    with database.reading() as connection:
        known = _known(connection)
    missing = [article for article in articles if article.id not in known]
    progress.start(len(missing), "导入商品")
    for start in range(0, len(missing), CHUNK):
        part = missing[start : start + CHUNK]
        rows = [_product_row(article, prices.get(article.id)) for article in part]
        with database.transaction() as connection:
            ids = take_ids(connection, products, len(part))
            insert_rows(
                connection, products, _PRODUCT_COLUMNS, [(row, *rest) for row, rest in zip(ids, rows, strict=True)]
            )
        known.update(zip((article.id for article in part), ids, strict=True))
        progress.advance(len(part))
    external = np.array(sorted(article.id for article in articles), dtype=np.int64)
    return Shelf(external, np.array([known[product] for product in external.tolist()], dtype=np.int64)), len(missing)


def _known(connection: Connection) -> dict[int, int]:
    rows = connection.execute(select(products.c.sku, products.c.id))
    return {int(sku): row for sku, row in rows if sku.isdecimal()}


def write_templates(
    connection: Connection,
    wanted: Iterable[int],
    coupons: tuple[Numbers, Numbers, Numbers],
    articles: Sequence[Article],
) -> int:
    """Write the wanted coupons of the package as templates; their counters are raised with each member; how many."""
    known = set(connection.scalars(select(templates.c.code)))
    missing = [coupon for coupon in sorted(wanted) if template_code(coupon) not in known]
    of = {article.id: article.category for article in articles}
    rows = []
    for coupon in missing:
        title, many = _offer(np.unique(coupons[1][coupons[0] == coupon]).tolist(), of)
        rule = {"kind": "product", "title": title, "products": many, "how": HOW}
        rows.append(
            {"code": template_code(coupon), "title": title, "rule": rule, "stock": None, "issued": 0,
             "per_member": None, "active": False, "source": SOURCE}
        )  # fmt: skip
    if rows:
        connection.execute(insert(templates), rows)
    return len(rows)


def _offer(taken: Sequence[int], category_of: Mapping[int, str]) -> tuple[str, int]:
    counted = Counter(category_of.get(product, UNCLASSIFIED) for product in taken)
    ((code, most),) = counted.most_common(1) or [(UNCLASSIFIED, 0)]
    name = categories()[code][0]
    return (f"{name} 优惠券" if most > MOSTLY * len(taken) else f"{name}等商品 优惠券"), len(taken)


def titles(connection: Connection) -> dict[str, str]:
    """Return {template code: title} of the package's templates."""
    found = connection.execute(select(templates.c.code, templates.c.title).where(templates.c.source == SOURCE))
    return {row.code: row.title for row in found}
