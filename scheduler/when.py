"""When a campaign runs, by the shop's calendar: every day, every week on a weekday, every so many months on a date."""

from datetime import date, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, field_serializer, model_validator

from members.rules import WEEKDAYS, ClockTime, Section, Span, Weekday
from members.rules.base import SPAN, UNITS

MONTHS, LAST_DATE = (1, 2, 3, 4, 6, 12), 28
EVERY = "every 要写 day、week、month,或「2 months」(1、2、3、4、6、12 个月)"
DAY = f"day 要写星期几(monday…sunday),按月的写几号(1–{LAST_DATE})"


def _every(value: Any) -> Any:
    if value in ("day", "week") or isinstance(value, Span):
        return value
    if value == "month":
        return Span(1, "month")
    found = SPAN.match(value.strip()) if isinstance(value, str) else None
    if found is None or UNITS.get(found[2], found[2].rstrip("s")) != "month" or int(found[1]) not in MONTHS:
        raise ValueError(EVERY)
    return Span(int(found[1]), "month")


def _day(value: Any) -> Any:
    if value is None or value in WEEKDAYS or (type(value) is int and 1 <= value <= LAST_DATE):
        return value
    raise ValueError(DAY)


Every = Annotated[
    Literal["day", "week"] | Span, BeforeValidator(_every, json_schema_input_type=Literal["day", "week", "month"] | str)
]
Day = Annotated[str | int | None, BeforeValidator(_day, json_schema_input_type=Weekday | int | None)]


class When(Section):
    """When a campaign runs, in the shop's time: `day`, `week` on a weekday, `2 months` on a date of the first of them.

    Months are counted from January: `2 months` begins in January, March, May, …
    """

    every: Every
    day: Day = None
    at: ClockTime = time(10)

    @field_serializer("every")
    def _told(self, every: Literal["day", "week"] | Span) -> str:
        return f"{every.count} months" if isinstance(every, Span) else every

    @model_validator(mode="after")
    def _day_fits(self) -> "When":
        given = {type(None): "day", str: "week"}.get(type(self.day), "months")
        if given != ("months" if isinstance(self.every, Span) else self.every):
            raise ValueError("every: day 不写 day,every: week 要写 day(monday…sunday),按月的要写 day(几号,1–28)")
        return self

    @property
    def months(self) -> tuple[int, ...]:
        """Return the months in which a campaign of every so many months runs; none for the others."""
        return tuple(range(1, 13, self.every.count)) if isinstance(self.every, Span) else ()

    def period(self, day: date) -> str:
        """Return the period a local date lies in: a day, an ISO week (2026-W47), months from a date (2026-11/2M).

        Months begin on `day`: what is done by hand before it belongs to the months before.
        """
        if self.every == "day":
            return day.isoformat()
        if isinstance(self.every, Span) and isinstance(self.day, int):
            begun = day - timedelta(days=self.day - 1)
            month = (begun.month - 1) // self.every.count * self.every.count + 1
            return f"{begun.year}-{month:02}/{self.every.count}M"
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02}"
