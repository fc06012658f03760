"""Reminders by the forecast of the night, segments by what the night worked out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from members import scores, segments
from members.scores import Score
from members.segments import SegmentRule
from scheduler.applying import apply_plan
from scheduler.delivery import Deliverer
from scheduler.plan import make_plan
from tests.scheduler.small_shop import MONDAY, ZONE, FakeWire, SmallShop

TODAY = date(2026, 11, 16)
LATE = [0.1] * 7
Open = Callable[..., SmallShop]


def cycle(
    category: str, chances: list[float], *, last: int = 20, gap: int = 28, due: int = 6, today: date = TODAY
) -> list[Any]:
    """A cycle whose last purchase was so many days ago and whose next is due in so many."""
    days = (today - timedelta(days=last)).isoformat(), gap, (today + timedelta(days=due)).isoformat()
    return [category, *days, 0.9, 6, chances]


def put(shop: SmallShop, member: int, *cycles: list[Any], day: date = TODAY, **more: Any) -> None:
    with shop.database.transaction() as connection:
        scores.put_many(connection, [Score(member, day, [], list(cycles), **more)], now=MONDAY)


def planned(shop: SmallShop, now: Any = MONDAY) -> list[tuple[int, dict[str, Any]]]:
    """(member, trace) of each reminder a plan holds."""
    plan = make_plan(shop.database, "复购提醒", shop.rules, now)
    apply_plan(shop.database, plan.id, shop.rules, now)
    from sqlalchemy import select

    from members.tables import Decision, table

    rows = table(Decision)
    with shop.database.reading() as connection:
        found = connection.execute(select(rows.c.member_id, rows.c.trace).order_by(rows.c.id)).all()
    return [(row.member_id, row.trace) for row in found]


def test_the_likeliest_hit_above_the_floor_is_sent_with_its_reason(shop: SmallShop) -> None:
    member = shop.member("o-1")
    put(shop, member, cycle("milk", [0.55, 0.5, *LATE[:5]]), cycle("rice", [0.62, 0.4, *LATE[:5]], last=25))
    [(who, trace)] = planned(shop)
    assert who == member
    assert (trace["by"], trace["category"], trace["confidence"], trace["floor"]) == ("timing", "rice", 0.62, 0.4)
    assert trace["scored"] == "2026-11-16" and trace["due"] == "2026-11-22"
    [sent] = shop.outbox()
    assert sent.reason == "您常买的大米:上次 10 月 22 日,平均 28 天一次"
    assert sent.topic == "repurchase:rice:2026-10-22"


@pytest.mark.parametrize(
    ("why", "given"),
    [
        ("below the floor", cycle("milk", [0.39, 0.3, *LATE[:5]])),
        ("a later day is better", cycle("milk", [0.5, 0.6, *LATE[:5]])),
        ("bought too often to be reminded", cycle("milk", [0.8, 0.5, *LATE[:5]], gap=4)),
        ("bought less than half its gap ago", cycle("milk", [0.8, 0.5, *LATE[:5]], last=13, gap=27)),
        ("due, but bought less than half its gap ago", cycle("milk", [0.8, 0.5, *LATE[:5]], last=13, gap=27, due=1)),
        ("excluded", cycle("fuel", [0.8, 0.5, *LATE[:5]])),
    ],
)
def test_it_is_silent(shop: SmallShop, why: str, given: list[Any]) -> None:
    put(shop, shop.member("o-1"), given)
    assert planned(shop) == [], why


def test_from_half_the_gap_on_it_is_reminded(shop: SmallShop) -> None:
    put(shop, shop.member("o-1"), cycle("milk", [0.8, 0.5, *LATE[:5]], last=13, gap=26))
    assert [trace["category"] for _, trace in planned(shop)] == ["milk"]


def test_close_to_the_due_day_it_does_not_wait_for_a_better_one(shop: SmallShop) -> None:
    put(shop, shop.member("o-1"), cycle("milk", [0.5, 0.6, *LATE[:5]], due=2))
    assert [trace["category"] for _, trace in planned(shop)] == ["milk"]


def test_a_purchase_since_cancels_and_the_forecast_speaks_for_a_week(shop: SmallShop) -> None:
    bought, plain = shop.member("o-1"), shop.member("o-2")
    for member in (bought, plain):
        put(shop, member, cycle("milk", [0.3, 0.3, 0.3, 0.6, 0.5, 0.4, 0.3]))
    assert planned(shop) == []
    shop.buys(bought, "milk", TODAY + timedelta(days=2))
    assert [member for member, _ in planned(shop, MONDAY + timedelta(days=3))] == [plain]
    assert [member for member, _ in planned(shop, MONDAY + timedelta(days=9))] == [plain]


def test_one_reminder_a_purchase(shop: SmallShop) -> None:
    member = shop.member("o-1")
    put(shop, member, cycle("milk", [0.6, 0.5, *LATE[:5]]))
    assert len(planned(shop)) == 1
    tomorrow = MONDAY + timedelta(days=1)
    put(shop, member, cycle("milk", [0.7, 0.5, *LATE[:5]], last=21, today=TODAY + timedelta(days=1)),
        day=TODAY + timedelta(days=1))  # fmt: skip
    assert len(planned(shop, tomorrow)) == 1


def test_segments_read_the_night(shop: SmallShop) -> None:
    rich, slow, old, none = (shop.member(f"o-{number}") for number in range(4))
    put(shop, rich, stage="active", value_decile=1, rfm="重要价值客户")
    put(shop, slow, stage="slowing", value_decile=4, rfm="重要保持客户")
    put(shop, old, stage="slowing", value_decile=1, rfm="重要价值客户", day=TODAY - timedelta(days=7))

    def of(rule: dict[str, Any]) -> list[int]:
        with shop.database.reading() as connection:
            return segments.members_of(connection, SegmentRule.model_validate(rule), MONDAY, ZONE)

    assert of({"state": ["slowing", "dormant"]}) == [slow]
    assert of({"state": "active"}) == [rich]
    assert of({"value_decile": {"at_most": 2}}) == [rich]
    assert of({"value_decile": {"at_least": 2}}) == [slow]
    assert of({"all": [{"value_decile": {"at_most": 5}}, {"rfm": "重要保持客户"}]}) == [slow]
    assert of({"not": [{"state": "slowing"}]}) == [rich, old, none]


@pytest.mark.parametrize(
    "rule", [{"state": "asleep"}, {"value_decile": {"at_most": 11}}, {"value_decile": {"at_least": 5, "at_most": 2}}]
)
def test_a_segment_with_unknown_words_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"state|value_decile|at_least"):
        SegmentRule.model_validate(rule)


def test_a_purchase_booked_late_still_ends_the_reminder(shop: SmallShop) -> None:
    """Between plan and sending a receipt comes in that was made before the plan, and after the last one known."""
    eager, late = shop.member("o-1"), shop.member("o-2")
    for member in (eager, late):
        put(shop, member, cycle("milk", [0.55, 0.5, *LATE[:5]]))
    plan = make_plan(shop.database, "复购提醒", shop.rules, MONDAY)
    shop.buys(late, "milk", TODAY - timedelta(days=2))
    shop.buys(eager, "milk", TODAY - timedelta(days=20))  # the one that was known
    done = apply_plan(shop.database, plan.id, shop.rules, MONDAY + timedelta(minutes=1))
    assert (done.put, done.no_longer) == (1, 1)
    [message] = shop.outbox()
    assert (message.member_id, message.content["until_bought"], message.content["last"]) == (
        eager, "milk", (TODAY - timedelta(days=20)).isoformat(),
    )  # fmt: skip
    shop.buys(eager, "milk", TODAY - timedelta(days=3))
    shop.writes("o-1", MONDAY + timedelta(minutes=2))
    wire = FakeWire()
    Deliverer(shop.database, shop.vault, wire, shop.rules).deliver_all(MONDAY + timedelta(minutes=3))
    assert wire.sent == [] and [one.state for one in shop.outbox()] == ["cancelled"]
