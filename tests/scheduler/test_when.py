"""When campaigns run, and which period a day belongs to."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from members.clock import add_months
from scheduler.jobs import _trigger
from scheduler.when import MONTHS, When
from tests.scheduler.small_shop import ZONE


@pytest.mark.parametrize(
    ("written", "day", "period"),
    [
        ({"every": "day"}, "2026-11-16", "2026-11-16"),
        ({"every": "week", "day": "monday"}, "2026-11-16", "2026-W47"),
        ({"every": "week", "day": "monday"}, "2027-01-01", "2026-W53"),
        ({"every": "month", "day": 1}, "2026-12-31", "2026-12/1M"),
        ({"every": "2 months", "day": 1}, "2026-12-31", "2026-11/2M"),
        ({"every": "2 months", "day": 1}, "2027-01-01", "2027-01/2M"),
        ({"every": "2个月", "day": 15}, "2026-11-14", "2026-09/2M"),
        ({"every": "2 months", "day": 15}, "2026-11-15", "2026-11/2M"),
        ({"every": "12 months", "day": 28}, "2027-01-27", "2026-01/12M"),
    ],
)  # fmt: skip
def test_periods(written: dict[str, Any], day: str, period: str) -> None:
    assert When.model_validate(written).period(date.fromisoformat(day)) == period


@given(st.sampled_from(MONTHS), st.integers(1, 28), st.dates(date(2020, 1, 1), date(2040, 1, 1)))
def test_a_period_begins_when_the_campaign_is_due_and_lasts_until_it_is_again(months: int, day: int, at: date) -> None:
    when = When.model_validate({"every": f"{months} months", "day": day})
    trigger = _trigger(when, ZONE)
    start = datetime(at.year, at.month, at.day, tzinfo=ZONE)
    due = trigger.get_next_fire_time(None, start)
    assert due is not None
    begun = due.date()
    assert (begun.day, when.period(begun)) == (day, f"{begun.year}-{begun.month:02}/{months}M")
    assert when.period(begun - timedelta(days=1)) != when.period(begun)
    assert when.period(add_months(begun, months) - timedelta(days=1)) == when.period(begun)
    assert when.period(add_months(begun, months)) != when.period(begun)
    assert at == begun or when.period(at) == when.period(begun - timedelta(days=1))


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ({"every": "5 months", "day": 1}, "1、2、3、4、6、12 个月"), ({"every": "2 weeks", "day": 1}, "every 要写"),
        ({"every": 2, "day": 1}, "every 要写"), ({"every": ["day"]}, "every 要写"),
        ({"every": "month"}, "按月的要写 day"), ({"every": "month", "day": "monday"}, "按月的要写 day"),
        ({"every": "week", "day": 1}, "every: week 要写 day"), ({"every": "day", "day": 1}, "every: day 不写 day"),
        ({"every": "month", "day": 29}, "1–28"), ({"every": "month", "day": 0}, "1–28"),
        ({"every": "month", "day": True}, "1–28"), ({"every": "week", "day": "mon"}, "monday…sunday"),
        ({"every": "week", "day": ["monday"]}, "monday…sunday"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(written: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        When.model_validate(written)


def test_what_was_written_reads_back() -> None:
    for written in ({"every": "2 months", "day": 3, "at": "09:30"}, {"every": "week", "day": "sunday"}):
        when = When.model_validate(written)
        assert When.model_validate(when.model_dump()) == when
