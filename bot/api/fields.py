"""What requests are made of: bounded texts without control characters, bounded integers, instants with an offset."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, WithJsonSchema

from members.sales import MOST, MOST_QUANTITY

RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
PLAIN = r"^[^\x00-\x1f\x7f]*$"
SHOWN = r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$"
NUMBER = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"
SINCE, UNTIL = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def _instant(value: Any) -> datetime:
    if not isinstance(value, str) or not RFC3339.fullmatch(value):
        raise ValueError("not an instant of RFC 3339")
    found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value.upper()))
    # instants beyond any calendar stay comparable: the books refuse them as too old or yet to come
    return SINCE if found.year < SINCE.year else UNTIL if found.year > UNTIL.year else found.astimezone(UTC)


def _whole(value: Any) -> Any:
    """Return 52 for 52.0: to JSON they are one number, and below 2 ** 53 the float is exact."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _day(value: Any) -> date:
    if not isinstance(value, str) or not DAY.fullmatch(value):
        raise ValueError("not a date")
    return date.fromisoformat(value)


class Asked(BaseModel):
    """A request body: a field that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Text = Annotated[str, Field(max_length=200, pattern=PLAIN)]
Short = Annotated[str, Field(max_length=64, pattern=PLAIN)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=SHOWN)]
Number = Annotated[str, Field(min_length=1, max_length=64, pattern=NUMBER)]
CouponCode = Annotated[str, Field(min_length=1, max_length=64, pattern=SHOWN, examples=["K7QF-2MDX-9TA0"])]
StoreId = Annotated[str, Field(min_length=1, max_length=64, pattern=SHOWN, description="门店编号", examples=["s1"])]
Ref = Annotated[str, Field(min_length=1, max_length=128, pattern=PLAIN, examples=["13800138000"])]
Whole = BeforeValidator(_whole)
Fen = Annotated[int, Field(strict=True, ge=0, le=MOST, description="分", examples=[12850]), Whole]
Quantity = Annotated[int, Field(strict=True, ge=1, le=MOST_QUANTITY), Whole]
Flag = StrictBool
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-02T10:00:00+08:00"]}),
]
Day = Annotated[
    date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date", "examples": ["1990-05-17"]})
]
