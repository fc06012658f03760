"""Articles from a table: new ones are added, known ones take what the table says and keep what it has no column for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, select

from members import products
from members.importing import cells as cell
from members.importing.cells import BadCell
from members.importing.flaws import Flaws
from members.importing.report import CleaningReport
from members.importing.run import Run, chunks
from members.importing.tabular import Row, TableError, open_source
from members.products import ProductRow
from members.tables import Category, Product, table

CHUNK = 500
WRITTEN = ("新商品", "更新的商品")
FIELDS: Mapping[str, Sequence[str]] = {
    "sku": ("商品编码", "商品编号", "编码", "货号", "条码", "商品条码", "barcode", "product_id", "product_code"),
    "name": ("商品名称", "名称", "品名", "商品", "product_name", "product"),
    "category": ("品类编码", "类别编码", "category_code"),
    "category_name": ("品类", "类别", "分类", "商品分类", "category_title"),
    "department": ("部门", "大类"),
    "brand": ("品牌",),
    "manufacturer": ("厂家", "生产商", "供应商", "maker", "supplier"),
    "type": ("类型", "子类", "product_type"),
    "pack": ("规格", "包装", "size", "package_size"),
    "own_brand": ("自有品牌", "自营", "private_label"),
    "price": ("价格", "售价", "单价", "零售价", "unit_price"),
    "active": ("在售", "状态", "上架", "on_sale"),
}
TEXTS = ("name", "category", "category_name", "department", "brand", "manufacturer", "type", "pack")
LONGEST = 64
articles, categories = table(Product), table(Category)
_KNOWN = select(articles).where(articles.c.sku.in_(bindparam("skus", expanding=True)))
_CODES = select(categories.c.name, categories.c.code).order_by(categories.c.code.desc())


def import_products(run: Run, path: Path) -> CleaningReport:
    """Import articles; TableError when the file can't be read or has no column of article numbers."""
    source = open_source(path, FIELDS)
    if "sku" not in source.columns.values():
        raise TableError("没有「商品编码」这一列")
    run.progress.start(source.rows, "导入商品")
    read = 0
    with Flaws(run.rejected) as flaws:
        for chunk in chunks(source.read(), CHUNK):
            said = {str(row["sku"]): row for row in (_read(flaws, one) for one in chunk) if row is not None}
            read += len(chunk)
            if said:
                run.written.update(run.transaction(partial(_write, said=said)))
            run.progress.advance(len(chunk))
    return run.report("商品", source, {"行": read}, flaws, WRITTEN)


def _read(flaws: Flaws, row: Row) -> dict[str, Any] | None:
    """Return what a row says of an article: only the fields that say something."""
    number, cells = row
    try:
        sku = cell.number(cells.get("sku"), "商品编码")
        if not sku:
            raise BadCell("sku_missing", "没有商品编码")
        found: dict[str, Any] = {name: cell.text(cells.get(name)) for name in TEXTS}
        if len(found["category"] or found["category_name"]) > LONGEST:
            raise BadCell("category_long", "品类名称太长")
        found["price"] = cell.amount(cells.get("price"))
        found["own_brand"] = cell.truth(cells.get("own_brand"), "自有品牌")
        found["active"] = cell.truth(cells.get("active"), "在售")
    except BadCell as bad:
        flaws.reject(number, bad.code, bad.reason, cells, example=bad.said)
        return None
    return {"sku": sku} | {name: value for name, value in found.items() if value not in (None, "")}


def _write(connection: Connection, said: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    known = {row.sku: row._mapping for row in connection.execute(_KNOWN, {"skus": list(said)})}
    codes = {row.name: row.code for row in connection.execute(_CODES)}
    names = [one.name for one in fields(ProductRow) if one.name != "category_name"]
    fresh, changed = [], []
    for sku, words in said.items():
        before = known.get(sku)
        blank: dict[str, Any] = {"name": sku} if before is None else {name: before[name] for name in names}
        row = ProductRow(**blank | {"category": blank.get("category") or ""} | _categorised(words, codes))
        if before is None:
            fresh.append(row)
        elif any((before[name] or "") != (value or "") for name, value in asdict(row).items() if name in names):
            changed.append(row)
    products.upsert(connection, [*fresh, *changed])
    return {"新商品": len(fresh), "更新的商品": len(changed)}


def _categorised(words: Mapping[str, Any], codes: Mapping[str, str]) -> dict[str, Any]:
    """Return the words with the category's code: the one said, the one of that name, or the name itself."""
    name = words.get("category_name")
    if not name or "category" in words:
        return dict(words)
    known = codes.get(name)
    rest = {key: value for key, value in words.items() if key != "category_name"}
    return rest | ({"category": known} if known else {"category": name, "category_name": name})
