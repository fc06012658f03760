"""Hold-outs, quiet hours and caps."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from members import outbox
from members.rules import Span
from scheduler import policy
from scheduler.rules import Cap, QuietHours
from tests.scheduler.small_shop import MONDAY, ZONE, SmallShop

NIGHT = QuietHours(time(21, 30), time(8, 30))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_the_hold_out_is_about_its_share_and_only_grows_with_it() -> None:
    five = {member for member in range(20_000) if policy.held_out(member, 0.05)}
    ten = {member for member in range(20_000) if policy.held_out(member, 0.10)}
    assert 900 < len(five) < 1100
    assert five < ten
    assert not any(policy.held_out(member, 0) for member in range(1000))
    assert all(policy.held_out(member, 1) for member in range(1000))


def test_the_hold_out_of_a_person_never_changes() -> None:
    assert [member for member in range(60) if policy.held_out(member, 0.1)] == [8, 15, 16, 30, 35, 41, 48, 49, 53]


def test_campaigns_hold_out_different_people() -> None:
    one = {member for member in range(10_000) if policy.held_out(member, 0.1, "a")}
    other = {member for member in range(10_000) if policy.held_out(member, 0.1, "b")}
    assert 50 < len(one & other) < 150


@pytest.mark.parametrize(
    ("hour", "minute", "until"),
    [(21, 29, None), (21, 30, 17), (23, 59, 17), (0, 0, 16), (8, 29, 16), (8, 30, None), (12, 0, None)],
)
def test_quiet_hours_pass_midnight(hour: int, minute: int, until: int | None) -> None:
    now = datetime(2026, 11, 16, hour, minute, tzinfo=ZONE).astimezone(UTC)
    expected = None if until is None else datetime(2026, 11, until, 8, 30, tzinfo=ZONE)
    assert policy.quiet_until(NIGHT, now, ZONE) == expected


def test_quiet_hours_within_a_day() -> None:
    noon = QuietHours(time(12), time(14))
    assert policy.quiet_until(noon, MONDAY, ZONE) is None
    assert policy.quiet_until(noon, MONDAY + 2 * HOUR, ZONE) == MONDAY + 4 * HOUR
    assert policy.quiet_until(None, MONDAY, ZONE) is None


def put(shop: SmallShop, member: int, key: str, *, kind: str = "marketing", sent: datetime | None = None) -> None:
    """A push put in the outbox ten days ago, sent or still waiting."""
    planned = MONDAY - 10 * DAY
    message = outbox.Message(
        key=key, kind=kind, channels=["next_reply"], content={"text": "."}, reason="", member=member,
        not_before=planned, expires_at=MONDAY + 10 * DAY,
    )  # fmt: skip
    with shop.database.transaction() as connection:
        row = outbox.put(connection, message, now=planned)
        assert row is not None
        if sent is not None:
            outbox.hand_over(connection, row, sent)


def capped(shop: SmallShop, *caps: Cap, kind: str = "marketing") -> set[int]:
    """Who may get no more of a kind on Monday."""
    with shop.database.reading() as connection:
        return policy.capped(connection, caps, kind, MONDAY)


def test_a_cap_counts_by_the_time_of_sending(shop: SmallShop) -> None:
    week = Cap(messages=2, within=Span(7, "day"))
    one, two, old = shop.member("o1"), shop.member("o2"), shop.member("o3")
    put(shop, one, "a", sent=MONDAY - DAY)
    for key in ("b", "c"):
        put(shop, two, key, sent=MONDAY - DAY)
        put(shop, old, f"old-{key}", sent=MONDAY - 8 * DAY)
    assert capped(shop, week) == {two}
    assert capped(shop, week, Cap(messages=1, within=Span(7, "day"))) == {one, two}
    assert capped(shop, Cap(messages=2, within=Span(9, "day"))) == {two, old}


def test_a_cap_of_a_kind_counts_only_that_kind(shop: SmallShop) -> None:
    member = shop.member("o1")
    put(shop, member, "a", kind="reminder", sent=MONDAY - DAY)
    once = Cap(messages=1, within=Span(7, "day"), kind="marketing")
    assert capped(shop, once) == set()
    assert capped(shop, once.model_copy(update={"kind": "reminder"}), kind="reminder") == {member}
    assert capped(shop, once.model_copy(update={"kind": None})) == {member}
