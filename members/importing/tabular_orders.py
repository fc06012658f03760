"""Orders from a table, a row per line or per order: put in order of time, each booked once with all that it brings.

Rows of one order may stand anywhere in the file: they are gathered in a table on disk that nobody else can open and
that is gone with the run. An order with a row that can't be taken is left out as a whole.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from members.importing import cells as cell
from members.importing.cells import BadCell
from members.importing.flaws import Flaws
from members.importing.orders_books import CHUNK, WRITTEN, Gathered, review_tiers, write_orders
from members.importing.report import CleaningReport
from members.importing.run import Run, chunks
from members.importing.tabular import Row, Source, TableError, open_source
from members.sales import Buyer, NewLine, NewOrder

FIELDS: Mapping[str, Sequence[str]] = {
    "order_no": ("单号", "订单号", "订单编号", "小票号", "流水号", "order_id", "order", "receipt_no"),
    "store": ("门店", "门店编号", "店号", "store_id", "shop"),
    "at": (
        "时间",
        "下单时间",
        "消费时间",
        "交易时间",
        "支付时间",
        "日期",
        "交易日期",
        "paid_at",
        "time",
        "date",
        "created_at",
    ),
    "member": ("会员id", "member_id"),
    "card": ("卡号", "会员卡号", "会员卡", "card_no"),
    "phone": ("手机号", "手机", "会员手机号", "会员手机", "电话", "mobile"),
    "openid": ("微信openid", "wechat_openid"),
    "customer": ("客户号", "客户编号", "会员编号", "会员号", "customer_id", "member_no"),
    "sku": ("商品编码", "商品编号", "编码", "货号", "条码", "barcode", "product_id", "product_code"),
    "name": ("商品名称", "品名", "商品", "product_name", "product"),
    "category": ("品类", "类别", "分类", "category_code"),
    "brand": ("品牌",),
    "quantity": ("数量", "件数", "qty"),
    "amount": ("金额", "实付", "实付金额", "行金额", "小计", "line_amount", "paid"),
    "discount": ("优惠", "折扣", "行优惠", "line_discount"),
    "total": ("合计", "订单金额", "实付合计", "总金额", "应收", "order_total"),
    "total_discount": ("订单优惠", "优惠合计", "总优惠", "order_discount"),
}
BUYERS = (("member", "member"), ("card", "card"), ("phone", "phone"), ("openid", "openid"), ("shop", "customer"))
ALIKE = ("store", "buyer", "total", "total_discount")
SKU_CHARS = 64
_TABLE = "CREATE TABLE line (scope TEXT, no TEXT, at REAL, row INTEGER, bad INTEGER, said TEXT)"
_KEY = "CREATE INDEX line_order ON line (scope, no, row)"
_IN_TIME = """
    SELECT line.scope, line.no, line.row, line.said
    FROM line JOIN (SELECT scope, no, min(at) AS first, max(bad) AS bad FROM line GROUP BY scope, no) AS head
    ON head.scope = line.scope AND head.no = line.no
    WHERE NOT head.bad
    ORDER BY head.first, line.scope, line.no, line.row
"""
_LEFT_OUT = """
    SELECT row, said FROM line AS this WHERE NOT bad
    AND EXISTS (SELECT 1 FROM line WHERE bad AND scope = this.scope AND no = this.no) ORDER BY row
"""
_ORDERS = "SELECT count(*) FROM (SELECT 1 FROM line GROUP BY scope, no HAVING max(bad) = 0)"


def import_orders(run: Run, path: Path, *, per_store: bool = True) -> CleaningReport:
    """Import orders, numbered by each store or by the whole group; TableError when number, time or money is missing."""
    source = open_source(path, FIELDS)
    have = set(source.columns.values())
    for needed, words in (({"order_no"}, "订单号"), ({"at"}, "时间"), ({"amount", "total"}, "金额")):
        if not have & needed:
            raise TableError(f"没有「{words}」这一列")
    with closing(sqlite3.connect("")) as gathered, Flaws(run.rejected) as flaws:
        read = _gather(run, source, flaws, gathered, per_store)
        many = int(gathered.execute(_ORDERS).fetchone()[0])
        run.progress.start(many, "导入订单")
        members: set[int] = set()
        for chunk in chunks(_orders(run, flaws, gathered), CHUNK):
            done = run.transaction(partial(write_orders, run=run, gathered=chunk))
            run.written.update(done.written)
            members |= done.members
            for refused in done.refused:
                refused.tell(flaws)
            run.progress.advance(len(chunk))
        run.written["升级的会员"] = review_tiers(run, members)
    return run.report("订单", source, {"行": read, "订单": many}, flaws, WRITTEN)


def _gather(run: Run, source: Source, flaws: Flaws, gathered: sqlite3.Connection, per_store: bool) -> int:
    run.progress.start(source.rows, "读取订单")
    gathered.execute(_TABLE)
    stores, read, lined = run.stores(), 0, not {"sku", "name"}.isdisjoint(source.columns.values())
    for chunk in chunks(source.read(), 2000):
        rows = []
        for number, cells in chunk:
            order_no, store = cell.text(cells.get("order_no")), cell.text(cells.get("store"))
            scope = store if per_store else ""
            at, bad, said = _line(run, flaws, stores, lined, (number, cells))
            rows.append((scope, order_no, at, number, bad, json.dumps(said, ensure_ascii=False)))
        gathered.executemany("INSERT INTO line VALUES (?, ?, ?, ?, ?, ?)", rows)
        read += len(chunk)
        run.progress.advance(len(chunk))
    gathered.execute(_KEY)
    for number, said in gathered.execute(_LEFT_OUT):
        flaws.reject(number, "order_left_out", "同一订单有别的行不能导入,整单没有导入", json.loads(said)["cells"])
    return read


def _line(run: Run, flaws: Flaws, stores: frozenset[str], lined: bool, row: Row) -> tuple[float, bool, dict[str, Any]]:
    """Return (second, whether it can't be taken, what it says) of one row."""
    number, cells = row
    shown = {name: value if isinstance(value, int | float) else cell.text(value) for name, value in cells.items()}
    try:
        at = cell.moment(cells.get("at"), run.rules.shop.zone)
        if not cell.text(cells.get("order_no")):
            raise BadCell("order_no_missing", "没有订单号")
        if at is None:
            raise BadCell("date_missing", "没有时间")
        store = cell.text(cells.get("store"))
        if store and store not in stores:
            raise BadCell("store_unknown", "没有这家门店,请先写进 config.yaml", store)
        said = _money(flaws, number, cells, lined) | {"store": store, "buyer": _buyer(run, flaws, number, cells)}
    except BadCell as bad:
        flaws.reject(number, bad.code, bad.reason, cells, example=bad.said)
        return 0.0, True, {"cells": shown}
    return at.timestamp(), False, said | {"at": at.timestamp(), "cells": shown}


def _money(flaws: Flaws, number: int, cells: Mapping[str, Any], lined: bool) -> dict[str, Any]:
    amount, total = cell.amount(cells.get("amount")), cell.amount(cells.get("total"))
    if amount is None and total is None:
        raise BadCell("amount_missing", "没有金额")
    found: dict[str, Any] = {"total": total, "total_discount": cell.amount(cells.get("total_discount"))}
    sku = cell.number(cells.get("sku"), "商品编码") if lined else ""
    if lined and not sku and (named := cell.text(cells.get("name"))[:SKU_CHARS]):
        sku = named
        flaws.mend(number, "sku_from_name", "没有商品编码,用商品名称代替")
    if not sku:
        return found | {"whole": amount, "discount": cell.amount(cells.get("discount")) or 0}
    if amount is None:
        raise BadCell("amount_missing", "没有金额")
    pieces, mended = cell.quantity(cells.get("quantity"))
    if mended:
        flaws.mend(number, "quantity_mended", "数量不是整数(称重)或为0,记为 1 件")
    line = [
        sku, cell.text(cells.get("name")), pieces, amount, cell.amount(cells.get("discount")) or 0,
        cell.text(cells.get("category"))[:64], cell.text(cells.get("brand")),
    ]  # fmt: skip
    return found | {"line": line}


def _buyer(run: Run, flaws: Flaws, number: int, cells: Mapping[str, Any]) -> list[str] | None:
    """Return who bought, [kind, value]: the surest of what the row says; a phone that is none makes nobody of them."""
    for kind, name in BUYERS:
        try:
            said = cell.phone(cells.get(name)) if kind == "phone" else cell.number(cells.get(name), "会员")
        except BadCell as bad:
            flaws.mend(number, bad.code, f"{bad.reason};订单照记,不算在会员名下")
            continue
        if said:
            return [kind, f"{run.issuer}:{said}" if kind == "shop" else said]
    return None


def _orders(run: Run, flaws: Flaws, gathered: sqlite3.Connection) -> Iterator[Gathered]:
    """Yield the orders that can be taken, the oldest first."""
    rows = gathered.execute(_IN_TIME)
    for (scope, order_no), lines in groupby(rows, lambda row: (row[0], row[1])):
        found = [(row[2], json.loads(row[3])) for row in lines]
        clash = _clash(found)
        if clash:
            for number, said in found:
                flaws.reject(number, "order_differs", f"同一订单各行的{clash}不一致", said["cells"])
            continue
        yield _whole(scope, order_no, found)


def _clash(found: Sequence[tuple[int, dict[str, Any]]]) -> str:
    words = {"store": "门店", "buyer": "会员", "total": "合计", "total_discount": "订单优惠"}
    for name in ALIKE:
        if len({str(said[name]) for _, said in found if said[name] not in (None, "")}) > 1:
            return words[name]
    if sum("line" not in said for _, said in found) > (0 if any("line" in said for _, said in found) else 1):
        return "商品编码(有的行没有)"
    return ""


def _whole(scope: str, order_no: str, found: Sequence[tuple[int, dict[str, Any]]]) -> Gathered:
    lines = [NewLine(*said["line"]) for _, said in found if "line" in said]
    one = {
        name: next((said[name] for _, said in found if said[name] not in (None, "")), None) for name in ALIKE
    }  # fmt: skip
    first = found[0][1]
    total, off = one["total"], one["total_discount"]
    if total is None:
        total = sum(line.amount for line in lines) if lines else first["whole"]
    if off is None:
        off = sum(line.discount for line in lines) if lines else first["discount"]
    order = NewOrder(
        order_no=order_no, scope=scope, store=one["store"], buyer=Buyer(*one["buyer"]) if one["buyer"] else None,
        at=datetime.fromtimestamp(min(said["at"] for _, said in found), UTC), lines=lines, total=total, discount=off,
        source="import",
    )  # fmt: skip
    return Gathered(order, [(number, said["cells"]) for number, said in found])
