"""What sections of config.yaml are made of: spans, times, shares, multipliers. Strict: an unknown key is an error."""

import re
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from members.clock import add_months

SPAN = re.compile(r"^(\d{1,4})\s*(minutes?|hours?|days?|weeks?|months?|分钟|小时|天|周|个月)$")
UNITS = {"分钟": "minute", "小时": "hour", "天": "day", "周": "week", "个月": "month"}


HOURS = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)\s*[-–~到]\s*([01]?\d|2[0-3]):([0-5]\d)$")
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Section(BaseModel):
    """A part of config.yaml: unknown keys are errors, values never change after start."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time as marketers write it: `14 days`, `2 months`, `90 minutes`, `30天`."""

    count: int
    unit: str

    def after(self, day: date) -> date:
        """Return the date this span after `day` (whole days; less than a day counts as the same day)."""
        if self.unit == "month":
            return add_months(day, self.count)
        return day + timedelta(days=self.delta().days)

    def delta(self) -> timedelta:
        """Return the span as a duration; a month counts 30 days here."""
        factor = {"minute": 1, "hour": 60, "day": 1440, "week": 10080, "month": 43200}[self.unit]
        return timedelta(minutes=self.count * factor)


@dataclass(frozen=True, slots=True)
class Hours:
    """A stretch of every day, [first, last); over midnight when last is not after first."""

    first: time
    last: time

    def holds(self, at: time) -> bool:
        """Tell whether a local time lies in it."""
        if self.first < self.last:
            return self.first <= at < self.last
        return at >= self.first or at < self.last


def _span(value: Any) -> Any:
    if isinstance(value, str) and (found := SPAN.match(value.strip())):
        unit = found[2]
        return Span(int(found[1]), UNITS.get(unit, unit.rstrip("s")))
    if isinstance(value, Span):
        return value
    raise ValueError("时间长度要写成「14 days」「2 months」「30天」这样")


def _days(value: Span) -> Span:
    if value.delta() < timedelta(days=1):
        raise ValueError("至少要一天")
    return value


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("不认识的时区,例如 Asia/Shanghai")
    return value


def _clock_time(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", value.strip()):
        hour, minute = value.strip().split(":")
        return time(int(hour), int(minute))
    if isinstance(value, time):
        return value
    raise ValueError('时刻要写成带引号的「"10:00"」')


def _percent(value: Any) -> Any:
    if isinstance(value, str) and (found := re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", value.strip())):
        return float(found[1]) / 100
    return value


def _multiplier(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("倍数要写成数字,例如 1.2")
    try:
        found = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError("倍数要写成数字,例如 1.2") from error
    if not found.is_finite() or found != round(found, 2):
        raise ValueError("倍数最多两位小数,例如 1.25")
    return found


def _day(value: Any) -> Any:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError('日期要写成带引号的「"2026-11-11"」') from error


def _hours(value: Any) -> Any:
    if isinstance(value, str) and (found := HOURS.match(value.strip())):
        first, last = (time(int(found[n]), int(found[n + 1])) for n in (1, 3))
        return Hours(first, last)
    if isinstance(value, Hours):
        return value
    raise ValueError('时段要写成带引号的「"18:00-21:00"」')


def _listed(value: Any) -> Any:
    return [] if value is None else value if isinstance(value, list | tuple) else [value]


SpanText = Annotated[Span, BeforeValidator(_span, json_schema_input_type=str)]
DaysText = Annotated[SpanText, AfterValidator(_days)]
ZoneName = Annotated[str, AfterValidator(_zone)]
ClockTime = Annotated[time, BeforeValidator(_clock_time, json_schema_input_type=str)]
Share = Annotated[float, BeforeValidator(_percent, json_schema_input_type=str | float), Field(ge=0, le=1)]
Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\s]+$")]
Multiplier = Annotated[
    Decimal, BeforeValidator(_multiplier, json_schema_input_type=str | float), Field(ge=0, le=100), PlainSerializer(str)
]
DayText = Annotated[date, BeforeValidator(_day, json_schema_input_type=str)]
HoursText = Annotated[Hours, BeforeValidator(_hours, json_schema_input_type=str)]
Item = TypeVar("Item")
Listed = Annotated[list[Item], BeforeValidator(_listed, json_schema_input_type=Item | list[Item])]
"""One of something, or a list of them."""
