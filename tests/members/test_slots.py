"""Appointments of experience coupons: made from the rule, booked once per place, given back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from members import coupons, slots
from members.rules import CouponRule
from tests.members.coupon_counter import NOW, SHANGHAI, Counter, opened
from tests.members.test_coupon_races import at_once

COURSE: dict[str, Any] = {
    "title": "烘焙课", "experience": "烘焙课一次", "valid": "10 days", "cost": 30, "budget": 3000,
    "slots": {"at": ["10:00", "14:30"], "days": ["tuesday", "saturday"], "capacity": 2, "days_ahead": 7},
}  # fmt: skip
RULE = CouponRule.model_validate(COURSE)
HOUR = timedelta(hours=1)


@pytest.fixture
def counter(books_url: str) -> Iterator[Counter]:
    """A counter that gives baking courses; afterwards places and money must add up."""
    with opened(books_url) as found:
        found.rules["course"] = RULE
        with found.database.transaction() as connection:
            coupons.sync_templates(connection, found.rules, zone=SHANGHAI)
            slots.sync(connection, found.rules, zone=SHANGHAI, now=NOW)
        yield found
        with found.database.reading() as connection:
            for one in connection.execute(select(slots.slots)):
                booked = select(func.count()).where(coupons.coupons.c.slot_id == one.id)
                assert connection.execute(booked).scalar_one() == one.taken
        found.check()


def free(counter: Counter, now: datetime = NOW, **more: Any) -> list[slots.Slot]:
    """What is free."""
    with counter.database.reading() as connection:
        return slots.free(connection, "course", now=now, **more)


def book(counter: Counter, coupon: int, slot: int, now: datetime = NOW) -> str:
    """Book; return 'booked', or the refusal's code."""
    done = counter.do(slots.book, coupon, slot, now=now)
    return done if isinstance(done, str) else "booked"


def again(counter: Counter, now: datetime, **changed: Any) -> int:
    """Write the appointments anew with a changed rule."""
    rule = CouponRule.model_validate(COURSE | {"slots": COURSE["slots"] | changed})
    return int(counter.do(slots.sync, {"course": rule}, zone=SHANGHAI, now=now))


def test_the_coming_times_of_the_rule_are_there(counter: Counter) -> None:
    starts = [one.starts_at.astimezone(SHANGHAI) for one in free(counter)]
    assert [(one.month, one.day, one.hour, one.minute) for one in starts] == [
        (3, 3, 10, 0), (3, 3, 14, 30), (3, 7, 10, 0), (3, 7, 14, 30),
    ]  # fmt: skip
    assert {one.left for one in free(counter)} == {2}
    assert len(free(counter, many=1)) == 1
    assert len(free(counter, until=datetime(2026, 3, 4, tzinfo=UTC))) == 2


def test_what_has_begun_is_not_free(counter: Counter) -> None:
    first = free(counter)[0]
    assert free(counter, first.starts_at)[0].starts_at > first.starts_at
    assert book(counter, counter.issue("course").id, first.id, first.starts_at) == "slot_full"


def test_a_place_is_taken_and_given_back(counter: Counter) -> None:
    coupon, slot = counter.issue("course").id, free(counter)[0]
    assert [book(counter, coupon, slot.id), book(counter, coupon, slot.id)] == ["booked", "booked"]
    assert free(counter)[0].left == 1
    assert counter.do(slots.cancel, coupon, now=slot.starts_at) is False
    assert [counter.do(slots.cancel, coupon, now=NOW) for _ in range(2)] == [True, False]
    assert free(counter)[0].left == 2


def test_another_booking_takes_the_place_of_the_first(counter: Counter) -> None:
    coupon, (first, second, *_) = counter.issue("course").id, free(counter)
    book(counter, coupon, first.id)
    assert book(counter, coupon, second.id) == "booked"
    assert [one.left for one in free(counter)] == [2, 1, 2, 2]


def test_a_full_time_leaves_the_former_booking(counter: Counter) -> None:
    first, second, *_ = free(counter)
    for key in ("a", "b"):
        book(counter, counter.issue("course", key).id, second.id)
    coupon = counter.issue("course", "c").id
    book(counter, coupon, first.id)
    assert book(counter, coupon, second.id) == "slot_full"
    assert counter.copy(coupon).slot == first.id


def test_the_last_place_goes_to_one(counter: Counter) -> None:
    slot = free(counter)[0]
    issued = [counter.issue("course", str(number)).id for number in range(6)]
    got = at_once([partial(book, counter, coupon, slot.id) for coupon in issued])
    assert sorted(got) == ["booked"] * 2 + ["slot_full"] * 4


def test_one_coupon_takes_one_place_also_at_once(counter: Counter) -> None:
    coupon, times = counter.issue("course").id, free(counter)
    got = at_once([partial(book, counter, coupon, slot.id) for slot in times])
    assert got.count("booked") >= 1 and set(got) <= {"booked", "coupon_not_bookable"}
    assert sum(2 - one.left for one in free(counter)) == 1


def test_a_coupon_books_only_what_it_is_for_and_while_it_is_good(counter: Counter) -> None:
    slot, other, issued = free(counter)[0], counter.issue("off", "o").id, counter.issue("course")
    assert book(counter, other, slot.id) == book(counter, 999, slot.id) == "coupon_not_bookable"
    assert book(counter, issued.id, 999) == "slot_full"
    counter.redeem(issued.code)
    assert book(counter, issued.id, slot.id) == "coupon_not_bookable"


def test_a_time_after_the_coupons_end_is_too_late(counter: Counter) -> None:
    issued = counter.issue("course")
    again(counter, issued.expires_at - 2 * HOUR)
    after = next(one for one in free(counter, issued.expires_at - HOUR) if one.starts_at >= issued.expires_at)
    assert book(counter, issued.id, after.id, issued.expires_at - HOUR) == "slot_too_late"


def test_a_void_coupon_frees_its_place(counter: Counter) -> None:
    coupon, slot = counter.issue("course").id, free(counter)[0]
    book(counter, coupon, slot.id)
    assert counter.void(coupon)
    assert free(counter)[0].left == 2


def test_a_redeemed_course_keeps_its_place_and_costs_what_it_costs(counter: Counter) -> None:
    issued, slot = counter.issue("course"), free(counter)[0]
    book(counter, issued.id, slot.id)
    counter.redeem(issued.code, slot.starts_at)
    assert counter.template("course").committed == 3000
    assert counter.do(slots.cancel, issued.id, now=NOW) is False
    counter.reverse(issued.id)
    assert counter.copy(issued.id).slot == slot.id


def test_times_that_left_the_rule_close_and_keep_who_has_booked(counter: Counter) -> None:
    coupon, (first, second, *_) = counter.issue("course").id, free(counter)
    book(counter, coupon, second.id)
    assert again(counter, NOW, at=["10:00"]) == 2
    assert [one.starts_at for one in free(counter)] == [first.starts_at, first.starts_at + 4 * 24 * HOUR]
    assert counter.copy(coupon).slot == second.id
    assert again(counter, NOW) == 4
    assert [one.left for one in free(counter)] == [2, 1, 2, 2]


def test_fewer_places_never_push_anybody_out(counter: Counter) -> None:
    slot = free(counter)[0]
    for key in ("a", "b"):
        book(counter, counter.issue("course", key).id, slot.id)
    again(counter, NOW, capacity=1)
    assert [one.left for one in free(counter)] == [1, 1, 1]
    again(counter, NOW, capacity=3)
    assert [one.left for one in free(counter)] == [1, 3, 3, 3]


def test_writing_them_again_changes_nothing(counter: Counter) -> None:
    before = free(counter)
    assert again(counter, NOW) == 4
    assert free(counter) == before
