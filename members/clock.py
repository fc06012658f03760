"""Where time comes from: one clock at the edge, `now` as an argument everywhere below it."""

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


class Clock:
    """The system clock plus an offset; the offset is only ever moved by the sandbox."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset

    def now(self) -> datetime:
        """Return the current instant, UTC-aware."""
        return datetime.now(UTC) + self.offset

    def move_to(self, instant: datetime) -> None:
        """Move forward to `instant`; time never runs backwards (ValueError)."""
        ahead = instant - self.now()
        if ahead < timedelta(0):
            raise ValueError("the clock only moves forward")
        self.offset += ahead

    def reach(self, instant: datetime) -> None:
        """Move forward to `instant` unless it has passed already."""
        with suppress(ValueError):
            self.move_to(instant)


def business_date(instant: datetime, zone: ZoneInfo, day_start: time = time()) -> date:
    """Return the business date of an instant: local date, a day beginning at `day_start`."""
    local = instant.astimezone(zone)
    return (local - timedelta(hours=day_start.hour, minutes=day_start.minute)).date()


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant after `day` in `zone`, as UTC: what is valid 'until day' expires then."""
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)


def add_months(day: date, months: int) -> date:
    """Return the same day `months` later, cut to the month's last day (31 Jan + 1 = 28/29 Feb)."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    first_of_next = date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    last = (first_of_next - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))
