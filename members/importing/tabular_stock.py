"""What lies in the shop, from a table: article numbers and pieces; several rows of one article are added up."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from members.importing import cells as cell
from members.importing.cells import BadCell
from members.importing.tabular import TableError, open_source
from members.importing.tabular_products import FIELDS as OF_PRODUCTS

FIELDS: Mapping[str, Sequence[str]] = {
    "sku": OF_PRODUCTS["sku"],
    "stock": ("库存", "库存数量", "现有库存", "可用库存", "数量", "件数", "pieces", "quantity", "on_hand"),
}


def read(path: Path) -> dict[str, int]:
    """Return {sku: pieces}; TableError for a file that can't be read, or a row that says no number."""
    source = open_source(path, FIELDS)
    for field, name in (("sku", "商品编码"), ("stock", "库存")):
        if field not in source.columns.values():
            raise TableError(f"没有「{name}」这一列")
    found: dict[str, int] = {}
    for number, row in source.read():
        sku = cell.text(row["sku"])
        try:
            pieces = cell.whole(row["stock"], "库存")
        except BadCell as bad:
            raise TableError(f"第 {number} 行:{bad}「{bad.said}」") from bad
        if not sku or pieces is None:
            raise TableError(f"第 {number} 行没有{'库存' if sku else '商品编码'}")
        found[sku] = found.get(sku, 0) + pieces
    if not found:
        raise TableError("表里一行也没有")
    return found
