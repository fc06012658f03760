"""Another shop's purchases out of a CSV or Parquet file: which column is what, how its days count, what was dropped.

Needed are member, item and a day: a date, or a whole number of days, baskets or weeks. Perhaps quantity (negative for a
return), amount (元 where the name or any decimals say so, else 分), type and category. Errors are `TableError`, in
Chinese.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np

from members.importing import cells
from members.importing.tabular import Source, TableError, open_source, plain
from recommend.evaluating.shop import Shop
from recommend.matrix import BadPurchases, from_arrays, is_order_only

EPOCH = date(1970, 1, 1).toordinal()
DATES = (
    "date", "order_date", "purchase_date", "transaction_date", "transaction_timestamp", "transaction_dt",
    "invoice_date", "timestamp", "datetime", "order_time", "order_datetime", "trans_date", "t_dat", "paid_at",
    "created_at", "time", "日期", "购买日期", "下单日期", "交易日期", "消费日期", "销售日期", "下单时间", "购买时间",
    "交易时间", "消费时间", "支付时间", "时间",
)  # fmt: skip
WEEKS = ("week", "week_no", "week_number", "周")
ORDERS = ("order_number", "basket_number", "order_index", "basket_index", "basket", "单序", "第几单")
NAMES: Mapping[str, Sequence[str]] = {
    "member": (
        "member", "member_id", "household_id", "household", "household_key", "user_id", "user", "customer_id",
        "customer", "cust_id", "client_id", "card_id", "card_no", "member_no", "phone", "mobile", "会员", "会员号",
        "会员编号", "会员id", "会员卡号", "会员卡", "卡号", "客户号", "客户编号", "客户", "用户", "用户id", "用户编号",
        "手机号", "会员手机号", "手机", "會員", "會員編號",
    ),
    "item": (
        "item", "item_id", "product_id", "product", "sku", "sku_id", "article_id", "article", "upc", "stock_code",
        "barcode", "product_code", "item_no", "商品编码", "商品编号", "商品id", "商品条码", "条码", "货号", "商品",
        "商品名称", "品名", "商品編號", "product_name", "item_name",
    ),
    "day": (
        *DATES, "day", "day_number", "天", *ORDERS, *WEEKS,
    ),
    "quantity": ("quantity", "qty", "pieces", "数量", "件数", "购买数量", "销售数量", "數量"),
    "amount": (
        "amount", "amount_fen", "sales_value", "sales", "paid", "金额", "实付", "实付金额", "销售额", "销售金额",
        "小计", "金額",
    ),
    "type": ("type", "product_type", "sub_commodity_desc", "subcategory", "aisle", "aisle_id", "类型", "小类"),
    "category": (
        "category", "product_category", "commodity_desc", "department", "department_id", "category_id", "品类", "大类",
    ),
}  # fmt: skip
WORDS = {"member": "会员", "item": "商品", "day": "日期或第几单"}
IN_YUAN = {plain(name) for name in ("sales_value", "sales", "paid")}
WHOLE, NUMBER = re.compile(r"-?\d{1,18}"), re.compile(r"-?\d+(\.\d+)?")
TELL_EVERY, DAY_LIMIT, MOST_PAID = 20_000, 10**6, 10**10
STRAY_SHARE, STRAY_DAYS = 0.001, 366


@dataclass(frozen=True)
class Bought:
    """A file's shop: which column was taken for what, which were not, lines read and dropped by reason."""

    shop: Shop
    columns: Mapping[str, str]
    unused: Sequence[str]
    encoding: str
    lines: int
    dropped: Mapping[str, int]
    dated: bool


def read(path: Path, told: Callable[[int, int], None] = lambda lines, of: None) -> Bought:
    """Return the purchases of a file; TableError says the column and the line that can't be read."""
    source = open_source(path, {alias: () for aliases in NAMES.values() for alias in aliases})
    taken = _taken(source)
    columns = {target: column for target, (column, _) in taken.items()}
    lines = _Lines(source, taken)
    count = 0
    for number, row in source.read():
        count += 1
        lines.add(number, row)
        if count % TELL_EVERY == 0:
            told(count, max(count, source.rows - 1))
    told(count, count)
    if lines.dated:
        lines.drop_strays()
    if not lines.day:
        dropped = "、".join(f"{why} {many} 行" for why, many in lines.dropped.items())
        raise TableError(f"{path.name} 里没有可用的购买" + (f"(去掉了:{dropped})" if dropped else ""))
    shop = lines.shop()
    unused = [*source.unused, *(column for column in source.columns if column not in columns.values())]
    return Bought(shop, columns, unused, source.encoding, count, dict(lines.dropped), bool(lines.dated))


def _taken(source: Source) -> dict[str, tuple[str, str]]:
    """Return {what: (column, alias)}, the first alias of each that is there."""
    there = {alias: column for column, alias in source.columns.items()}
    found = {}
    for target, aliases in NAMES.items():
        alias = next((alias for alias in aliases if alias in there), None)
        if alias is not None:
            found[target] = there[alias], alias
        elif target in WORDS:
            names = [[one for one in aliases if one.isascii() == english][:4] for english in (False, True)]
            some, every = "、".join([*names[0], *names[1]]), "、".join([*source.columns, *source.unused])
            raise TableError(f"{source.path.name} 里没有「{WORDS[target]}」列:可以叫 {some} 等;文件里的列是 {every}")
    return found


class _Codes:
    """Labels as they come, numbered."""

    def __init__(self) -> None:
        self.code: dict[str, int] = {}

    def of(self, label: str) -> int:
        return self.code.setdefault(label, len(self.code))

    def ranked(self) -> tuple[Any, Any]:
        """Return the labels in their order, and the place of each code among them."""
        labels = np.array(list(self.code), dtype=np.str_)
        order = np.argsort(labels, kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        return labels[order], place


class _Lines:
    def __init__(self, source: Source, taken: Mapping[str, tuple[str, str]]) -> None:
        self.file, self.taken = source.path.name, taken
        self.alias = {target: alias for target, (_, alias) in taken.items()}
        self.members, self.items = _Codes(), _Codes()
        self.member: list[int] = []
        self.item: list[int] = []
        self.day: list[int] = []
        self.quantity: list[int] = []
        self.amount: list[int] = []
        self.labels: dict[str, dict[int, str]] = {name: {} for name in ("type", "category") if name in taken}
        self.dropped: Counter[str] = Counter()
        self.dated: bool | None = None
        self.by_date, self.by_week, self.order_only = (
            plain(self.alias["day"]) in {plain(name) for name in names} for names in (DATES, WEEKS, ORDERS)
        )
        self.decimals = False
        self.known: dict[tuple[str, Any], Any] = {}
        header = taken.get("amount", ("", ""))[0]
        self.yuan = "元" in header or plain(header) in IN_YUAN

    def add(self, number: int, row: Mapping[str, Any]) -> None:
        """Take a line in, or count why not; TableError for a cell that can't be read."""
        member, item = (self._read(target, row, number, cells.text) for target in ("member", "item"))
        day = self._read("day", row, number, self._day)
        quantity = self._read("quantity", row, number, _pieces) if "quantity" in self.taken else 1
        for lacks, why in ((not member, "没有会员"), (not item, "没有商品"), (day is None, "没有日期"),
                           (not quantity, "数量为零")):  # fmt: skip
            if lacks:
                self.dropped[why] += 1
                return
        code = self.items.of(item)
        self.member.append(self.members.of(member))
        self.item.append(code)
        self.day.append(day)
        self.quantity.append(quantity)
        self.amount.append(self._read("amount", row, number, self._hundredths) if "amount" in self.taken else 0)
        for name, labels in self.labels.items():
            if not labels.get(code):
                labels[code] = self._read(name, row, number, cells.text)

    def _read(self, target: str, row: Mapping[str, Any], number: int, parse: Callable[[Any], Any]) -> Any:
        cell = row.get(self.alias[target])
        try:
            found = self.known.get((target, cell), self)
            if found is self:
                found = self.known[(target, cell)] = parse(cell)
        except (cells.BadCell, ValueError, InvalidOperation, TypeError) as error:
            why = str(error) if isinstance(error, cells.BadCell) else "读不懂"
            why += ",要写成 2024-03-01,或整数" if isinstance(error, cells.BadCell) and error.code == "date_bad" else ""
            said = str(cell)[:20]
            raise TableError(f"{self.file} 第 {number} 行「{self.taken[target][0]}」列:{why}({said})") from error
        return found

    def _day(self, cell: Any) -> int | None:
        said = cells.text(cell)
        if not said:
            return None
        is_number = not isinstance(cell, date) and WHOLE.fullmatch(said) is not None
        if is_number and self.order_only:
            day, dated = int(said), False
        elif is_number and 190001 <= int(said) <= 219953 and (self.by_week or self.by_date):
            day, dated = self._of_year(int(said)), True
        elif is_number and not 19000101 <= int(said) <= 21991231:
            day, dated = int(said), 10**9 <= int(said) < 10**10
            if dated:
                day = datetime.fromtimestamp(day, UTC).date().toordinal() - EPOCH
            elif abs(day) > DAY_LIMIT:
                raise cells.BadCell("day_bad", "第几天或第几单的数太大")
            elif self.by_week:
                day *= 7
        else:
            found = cells.day(cell)
            assert found is not None
            day, dated = found.toordinal() - EPOCH, True
        if self.dated is not None and dated != self.dated:
            raise cells.BadCell("day_mixed", "日期和数字混在一列里,只能用一种")
        self.dated = dated
        return day

    def _of_year(self, number: int) -> int:
        """Return the Monday of a week written 202401; months are refused."""
        if not self.by_week:
            raise cells.BadCell("date_month", "只有年和月,日期要写到哪一天")
        try:
            return date.fromisocalendar(number // 100, number % 100, 1).toordinal() - EPOCH
        except ValueError as error:
            raise cells.BadCell("week_bad", "那一年没有这一周") from error

    def _hundredths(self, cell: Any) -> int:
        """Return a hundred times what is said, in whichever unit, rounded to a whole number."""
        said = cells.text(cell).replace(",", "").replace("¥", "").removesuffix("元").strip()
        if not said:
            return 0
        if not NUMBER.fullmatch(said):
            raise cells.BadCell("amount_bad", "金额不是数字")
        found = Decimal(said)
        if abs(found) > MOST_PAID:
            raise cells.BadCell("amount_range", "金额太大")
        self.decimals |= found != found.to_integral_value()
        return int((found * 100).to_integral_value(ROUND_HALF_UP))

    def drop_strays(self) -> None:
        """Leave out dates a year or more outside those of nearly all lines: a till's wrong clock, a blank as 1970."""
        day = np.array(self.day, dtype=np.int64)
        first, last = np.quantile(day, (STRAY_SHARE, 1 - STRAY_SHARE)) if len(day) else (0, 0)
        stray = (day < first - STRAY_DAYS) | (day > last + STRAY_DAYS)
        if not stray.any():
            return
        self.dropped["日期远在别的日期之外"] += int(stray.sum())
        for column in (self.member, self.item, self.day, self.quantity, self.amount):
            column[:] = np.array(column, dtype=np.int64)[~stray].tolist()

    def shop(self) -> Shop:
        """Return what was read."""
        members, of_member = self.members.ranked()
        items, of_item = self.items.ranked()
        in_order = self.order_only and not self.dated
        day, amount = np.array(self.day, dtype=np.int64), np.array(self.amount, dtype=np.int64)
        if not (self.yuan or self.decimals):
            amount //= 100
        if in_order:  # the numbers may run over the whole shop, or be long: only their order counts
            day = 1 + np.unique(day, return_inverse=True)[1]
        try:
            log = from_arrays(of_member[self.member], day, of_item[self.item], np.array(self.quantity), amount)
        except (BadPurchases, OverflowError) as error:
            raise TableError(f"{self.file} 读出来的购买不能用:{error}") from error
        log = replace(log, members=members[log.members], items=items[log.items])
        names = {name: {items[of_item[code]]: label for code, label in labels.items()}
                 for name, labels in self.labels.items()}  # fmt: skip
        labels = {name: np.array([of.get(item, "") for item in log.items.tolist()])
                  for name, of in names.items() if any(of.values())}  # fmt: skip
        in_order |= not self.dated and is_order_only(log)
        return Shop(log, labels.get("type"), labels.get("category"), order_only=in_order)


def _pieces(cell: Any) -> int:
    said = cells.text(cell).replace(",", "")
    if not said:
        return 1
    if not NUMBER.fullmatch(said):
        raise cells.BadCell("number_bad", "数量不是数字")
    found = Decimal(said)
    whole = int(found)
    if found == whole:
        return max(-(2**30), min(2**30, whole))
    return 1 if found > 0 else -1
