"""Frequency and repurchase on tables small enough to check by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommend.features import Purchase
from recommend.frequency import rank
from recommend.repurchase import cycle, due_cycles
from recommend.rules import RecommendRules

TODAY = date(2026, 11, 16)
RULES = RecommendRules(half_life_days=60, min_purchases=3)


def days(*ages: int, item: str = "milk") -> list[Purchase]:
    """Purchases so many days ago, ascending by day."""
    return [Purchase(1, item, TODAY - timedelta(days=age), 1, 100) for age in sorted(ages, reverse=True)]


def test_a_purchase_one_half_life_ago_counts_half() -> None:
    [habit] = rank({"milk": days(0, 60, 120)}, TODAY, RULES)
    assert habit.score == pytest.approx(1 + 0.5 + 0.25)
    assert (habit.days, habit.recent, habit.last) == (3, 1, TODAY)
    assert habit.explain() == "近121天买过3次"


def test_recent_habits_come_before_old_ones_with_more_purchases() -> None:
    ranked = rank({"old": days(300, 301, 302, 303, 304), "new": days(1, 8, 15)}, TODAY, RULES)
    assert [habit.item for habit in ranked] == ["new", "old"]
    assert ranked[0].explain() == "近60天买过3次"


def test_two_days_are_no_habit() -> None:
    assert rank({"milk": days(1, 2)}, TODAY, RULES) == []


def test_equal_scores_go_by_item() -> None:
    assert [habit.item for habit in rank({"b": days(1, 2, 3), "a": days(1, 2, 3)}, TODAY, RULES)] == ["a", "b"]


def test_a_regular_cycle() -> None:
    found = cycle("rice", days(112, 84, 56, 28))
    assert found is not None
    assert (found.gap, found.due, found.days) == (28, TODAY, 4)
    assert found.confidence == pytest.approx(3 / 4)
    assert found.explain() == "上次 10 月 19 日,平均 28 天一次"


def test_confidence_is_the_share_of_gaps_near_the_median() -> None:
    # gaps 30, 10, 28, 30, 60: median 30, slack 7.5, hits 30, 28, 30
    found = cycle("rice", days(168, 138, 128, 100, 70, 10))
    assert found is not None
    assert found.gap == 30
    assert found.confidence == pytest.approx(3 / 6)


def test_a_half_day_in_the_median_rounds_up() -> None:
    found = cycle("rice", days(60, 50, 39, 28, 18))  # gaps 10, 11, 11, 10
    assert found is not None and found.gap == 11


def test_three_days_are_no_cycle() -> None:
    assert cycle("rice", days(56, 28, 0)) is None


@pytest.mark.parametrize(
    ("last", "due"),
    [(25, False), (26, True), (28, True), (35, True), (36, False)],
)
def test_a_reminder_begins_two_days_early_and_ends_a_quarter_gap_late(last: int, due: bool) -> None:
    bought = {"rice": days(last, last + 28, last + 56, last + 84)}
    found = due_cycles(bought, TODAY, RULES, days_ahead=2, confidence=0.4)
    assert bool(found) is due


def test_silent_below_the_floor_and_about_what_is_bought_all_the_time() -> None:
    unsure = {"rice": days(28, 100, 120, 200)}  # gaps 80, 20, 72: median 72, one more within 18 → 2/4
    assert due_cycles(unsure, TODAY, RULES, days_ahead=60, confidence=0.5) != []
    assert due_cycles(unsure, TODAY, RULES, days_ahead=60, confidence=0.51) == []
    assert due_cycles({"milk": days(2, 5, 8, 11, 14)}, TODAY, RULES, days_ahead=2, confidence=0.1) == []


@given(st.sets(st.integers(0, 364), min_size=4, max_size=40))
def test_any_history_gives_a_due_day_after_the_last_and_a_confidence_below_one(ages: set[int]) -> None:
    found = cycle("rice", days(*ages))
    assert found is not None
    assert found.due > found.last
    assert 0 <= found.confidence < 1
