"""One cell of a table in the books' words: exact amounts, instants in the shop's zone, phones, numbers; or why not.

Cells of CSV are text, cells of Parquet have types. Amounts pass through Decimal only; a float counts as what it prints.
"""

import re
import unicodedata
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from members.errors import MemberError
from members.sales import MOST
from members.vault import normalise_phone

FEN = Decimal("0.01")
NOON = time(12)
EARLIEST, LATEST = 1900, 2199
_AMOUNT = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_WHOLE = re.compile(r"-?\d{1,18}(?:\.0+)?")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+?\d+")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
_PLAIN_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})(?!\d)")
_TIME = re.compile(r"(\d{1,2})[:时](\d{1,2})分?(?:[:]?(\d{1,2})(?:\.\d+)?秒?)?")
_ZONED = re.compile(r".*(?:Z|[+-]\d{2}:?\d{2})")
YES = ("1", "是", "y", "yes", "true", "有", "同意", "在售", "上架")
NO = ("0", "否", "n", "no", "false", "无", "不", "拒绝", "退订", "停售", "下架")


class BadCell(ValueError):
    """A cell that says nothing the books can take: the flaw's stable code, the reason in Chinese, what was said.

    `said` never holds a phone or a number somebody is known by.
    """

    def __init__(self, code: str, reason: str, said: object = "") -> None:
        super().__init__(reason)
        self.code, self.reason, self.said = code, reason, str(said)[:20]


def text(value: Any) -> str:
    """Return a cell as text: outer blanks off, full-width folded, whole floats without their `.0`; '' for nothing."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return unicodedata.normalize("NFKC", str(value)).strip().strip("\ufeff'\u200b").strip()


def amount(value: Any, *, negative: bool = False) -> int | None:
    """Return 元 as 分, exactly; None for nothing. A float is rounded to the 分, text with more decimals refused."""
    if isinstance(value, float) and value == value:
        found = _decimal(str(value))
        found = found.quantize(FEN, ROUND_HALF_UP) if abs(found) < MOST else found
    elif isinstance(value, Decimal):
        found = value
    else:
        plain = text(value).replace("¥", "").replace("￥", "").removesuffix("元").strip()
        if not plain:
            return None
        if not _AMOUNT.fullmatch(plain):
            raise BadCell("amount_bad", "金额不是数字", plain)
        found = _decimal(plain.replace(",", ""))
    if not found.is_finite() or abs(found) > MOST:
        raise BadCell("amount_range", "金额超过1亿元", value)
    fen = found * 100
    if fen != fen.to_integral_value():
        raise BadCell("amount_decimals", "金额多于两位小数", value)
    if abs(fen) > MOST:
        raise BadCell("amount_range", "金额超过1亿元", value)
    if fen < 0 and not negative:
        raise BadCell("amount_negative", "金额为负", value)
    return int(fen)


def _decimal(plain: str) -> Decimal:
    try:
        return Decimal(plain)
    except InvalidOperation as error:
        raise BadCell("amount_bad", "金额不是数字", plain) from error


def whole(value: Any, what: str) -> int | None:
    """Return a whole number not below zero; None for nothing."""
    plain = text(value).replace(",", "")
    if not plain:
        return None
    if not _WHOLE.fullmatch(plain):
        raise BadCell("number_bad", f"{what}不是整数", plain)
    found = int(plain.partition(".")[0])
    if not 0 <= found <= MOST:
        raise BadCell("number_range", f"{what}为负或太大", plain)
    return found


def quantity(value: Any) -> tuple[int, bool]:
    """Return how many pieces, and whether that was mended: what is weighed counts as one piece, as does nothing."""
    plain = text(value).replace(",", "")
    if not plain:
        return 1, False
    if not _AMOUNT.fullmatch(plain):
        raise BadCell("number_bad", "数量不是数字", plain)
    found = Decimal(plain)
    if found < 0:
        raise BadCell("quantity_negative", "数量为负(退货请走退款)", plain)
    return (int(found), False) if found and found == found.to_integral_value() else (1, True)


def phone(value: Any) -> str:
    """Return an E.164 phone, '' for nothing."""
    plain = text(value)
    if not plain:
        return ""
    if _SCIENTIFIC.fullmatch(plain):
        raise BadCell("phone_scientific", "手机号被表格软件改成了科学记数,请设成文本再导出")
    try:
        return _normalised(plain)
    except MemberError as error:
        raise BadCell("phone_bad", "手机号不对") from error


@lru_cache(maxsize=4096)
def _normalised(plain: str) -> str:
    """Return a phone as E.164; the lines of one order, and one member's orders, name the same again and again."""
    return normalise_phone(plain)


def number(value: Any, what: str) -> str:
    """Return a card or customer number as text; digits that a spreadsheet has ruined are refused."""
    plain = text(value).replace(" ", "")
    if _SCIENTIFIC.fullmatch(plain) or (isinstance(value, float) and abs(value) >= 2**53):
        raise BadCell("number_scientific", f"{what}被表格软件改成了科学记数,请设成文本再导出")
    if len(plain) > 64 or not plain.isprintable():
        raise BadCell("number_bad", f"{what}不对")
    return plain


def day(value: Any, what: str = "日期") -> date | None:
    """Return a date; None for nothing."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    plain = text(value)
    if not plain:
        return None
    found = _DATE.match(plain) or _PLAIN_DATE.match(plain)
    if found is None:
        raise BadCell("date_bad", f"{what}认不出来", plain)
    try:
        which = date(*(int(part) for part in found.groups()))
    except ValueError as error:
        raise BadCell("date_bad", f"{what}写的那一天不存在", plain) from error
    if not EARLIEST <= which.year <= LATEST:
        raise BadCell("date_bad", f"{what}的年份不对", plain)
    return which


def moment(value: Any, zone: ZoneInfo) -> datetime | None:
    """Return an instant in UTC; what names no zone is the shop's time, what names no time is noon. None for nothing."""
    if isinstance(value, datetime):
        if not EARLIEST <= value.year <= LATEST:
            raise BadCell("date_bad", "时间的年份不对", value)
        return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, NOON, zone).astimezone(UTC)
    plain = text(value)
    if not plain:
        return None
    if _ZONED.fullmatch(plain) and (found := _iso(plain)) is not None:
        return found.astimezone(UTC)
    which = day(plain, "时间")
    rest = plain[_end_of_date(plain) :].strip().lstrip("T").strip()
    assert which is not None
    return datetime.combine(which, _clock(rest), zone).astimezone(UTC)


def _iso(plain: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(plain)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _end_of_date(plain: str) -> int:
    found = _DATE.match(plain) or _PLAIN_DATE.match(plain)
    return found.end() if found else 0


def _clock(rest: str) -> time:
    if not rest:
        return NOON
    found = _TIME.fullmatch(rest)
    if found is None:
        raise BadCell("date_bad", "时间认不出来", rest)
    try:
        return time(int(found[1]), int(found[2]), int(found[3] or 0))
    except ValueError as error:
        raise BadCell("date_bad", "没有这个时刻", rest) from error


def truth(value: Any, what: str) -> bool | None:
    """Return a yes or a no; None for nothing."""
    plain = text(value).lower()
    if not plain:
        return None
    if plain in YES or plain in NO:
        return plain in YES
    raise BadCell("truth_bad", f"{what}要写 是 或 否", plain)
