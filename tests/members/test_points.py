"""Points through their whole life, on both databases: earned, pending, spent, clawed back, owed, expired."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from members import points
from members.db import Database
from members.errors import MemberError
from tests.members.value_books import BY, DAY, NOW, Books, rules_with

PENDING = {"pending_days": 7}


@pytest.fixture
def database(books_url: str) -> Database:
    return Database(books_url)


def books_with(database: Database, **earn: Any) -> Books:
    """Books whose points live two years."""
    return Books(database, rules_with(earn=earn, expiry={"months": 24}))


def test_points_are_given_once_per_key_and_the_trail_says_so(database: Database) -> None:
    books = books_with(database)
    member = books.member()
    with books.transaction() as connection:
        first, second = (
            points.give(connection, books.rules, member, 30, key="g", kind="gift", by=BY, reason="补偿", now=NOW)
            for _ in range(2)
        )
    assert first == second and books.owned(member) == {"points": 30}
    (deed,) = books.deeds("points.give")
    assert (deed["actor"], deed["store_id"], deed["before"], deed["after"]) == (
        "staff:7",
        "s1",
        {"points": 0},
        {"points": 30},
    )
    assert books.sound()


@pytest.mark.parametrize("many", [0, -1, 10**10 + 1, 10**30])
def test_integer_overflow_and_negative_amounts(database: Database, many: int) -> None:
    books = books_with(database)
    member = books.member()
    deeds = (books.earn, books.spend, partial(books.take_back, order=None))
    for deed in deeds:
        with pytest.raises(MemberError, match="amount_range"):
            deed(member, many or -5)
    assert books.owned(member) == {}


def test_leap_day_expiry_is_the_end_of_february(database: Database) -> None:
    rules = rules_with(expiry={"months": 12})
    leap = datetime(2028, 2, 29, 15, 59, tzinfo=UTC)  # 23:59 in Shanghai
    assert points.expires_at(rules, leap) == datetime(2029, 2, 28, 16, tzinfo=UTC)
    assert points.expires_at(rules, datetime(2028, 2, 29, 16, tzinfo=UTC)) == datetime(2029, 3, 1, 16, tzinfo=UTC)


def test_midnight_expiry_is_at_midnight_and_not_a_second_before(database: Database) -> None:
    books = books_with(database)
    member = books.member()
    books.earn(member, 10)
    end = points.expires_at(books.rules, NOW)
    books.spend(member, 4, at=end - DAY / 86400)
    with pytest.raises(MemberError):
        books.spend(member, 1, at=end)
    assert books.expire(end) == 6
    assert books.owned(member) == {} and books.sound()


def test_pending_points_mature_and_keep_order_and_expiry(database: Database) -> None:
    books = books_with(database, **PENDING)
    member = books.member()
    order = books.order(member)
    books.earn(member, 100, order=order, pending=True)
    assert books.owned(member) == {"pending": 100}
    with pytest.raises(MemberError):
        books.spend(member, 1)
    due = points.matures_at(books.rules, NOW)
    assert due == datetime(2026, 3, 9, 16, tzinfo=UTC)
    assert books.mature(due - DAY / 86400) == 0
    assert books.mature(due) == 100 and books.mature(due) == 0
    assert books.owned(member) == {"points": 100}
    assert books.take_back(member, 100, order=order, at=due) == 100
    assert books.owned(member) == {} and books.sound()


def test_without_pending_days_points_are_good_at_once(database: Database) -> None:
    books = books_with(database)
    member = books.member()
    books.earn(member, 10, pending=True)
    assert books.owned(member) == {"points": 10}


@pytest.mark.parametrize(
    ("policy", "taken", "left"),
    [("only_pending", 40, {"points": 50}), ("down_to_zero", 90, {}), ("may_go_negative", 100, {"owed": -10})],
)
def test_earn_refund_keep(database: Database, policy: str, taken: int, left: dict[str, int]) -> None:
    """Earned 100 on the order, 60 of them spent, 50 others there: what a full refund takes, by policy."""
    books = books_with(database, refunds=policy)
    member = books.member()
    order = books.order(member)
    books.earn(member, 100, order=order)
    books.spend(member, 60)
    books.earn(member, 50, at=NOW + DAY)
    assert books.take_back(member, 100, order=order, at=NOW + DAY, key="r1") == taken
    assert books.take_back(member, 100, order=order, at=NOW + DAY, key="r1") == taken
    assert books.owned(member) == left and books.sound()


@pytest.mark.parametrize("policy", ["only_pending", "down_to_zero", "may_go_negative"])
def test_what_is_pending_goes_first(database: Database, policy: str) -> None:
    books = books_with(database, refunds=policy, **PENDING)
    member = books.member()
    order, other = books.order(member), books.order(member)
    books.earn(member, 30, order=other, pending=True)
    books.earn(member, 100, order=order, pending=True)
    books.earn(member, 20, order=order)
    books.earn(member, 500)
    assert books.take_back(member, 110, order=order) == 110
    assert books.lots(member) == [("pending", 30, 30), ("pending", 100, 0), ("points", 20, 10), ("points", 500, 500)]
    assert books.sound()


@pytest.mark.parametrize("booked", [True, False], ids=["expiry booked", "expiry due"])
@pytest.mark.parametrize("policy", ["only_pending", "down_to_zero", "may_go_negative"])
def test_refund_after_expiry(database: Database, policy: str, booked: bool) -> None:
    """Of 100 points 30 were spent and 70 ran out: the 70 are not taken a second time, over both partial refunds."""
    books = books_with(database, refunds=policy)
    member = books.member()
    order = books.order(member)
    books.earn(member, 100, order=order)
    books.spend(member, 30)
    late = points.expires_at(books.rules, NOW) + DAY
    if booked:
        assert books.expire(late) == 70
    books.earn(member, 1000, at=late)
    parts = [books.take_back(member, part, order=order, at=late) for part in (60, 40)]
    assert parts == ([0, 0] if policy == "only_pending" else [0, 30])
    books.expire(late)
    assert books.owned(member) == {"points": 1000 if policy == "only_pending" else 970}
    assert books.sound(late)


def test_a_claw_back_that_took_nothing_takes_nothing_at_its_repetition(database: Database) -> None:
    books = books_with(database)
    member = books.member()
    order = books.order(member)
    books.earn(member, 100, order=order)
    late = points.expires_at(books.rules, NOW)
    books.expire(late)
    assert books.take_back(member, 100, order=order, at=late, key="r") == 0
    books.earn(member, 100, at=late)
    assert books.take_back(member, 100, order=order, at=late, key="r") == 0
    assert books.owned(member) == {"points": 100}


@pytest.mark.parametrize("pending", [False, True])
def test_a_debt_is_repaid_by_the_next_earning(database: Database, pending: bool) -> None:
    books = books_with(database, refunds="may_go_negative", **PENDING)
    member = books.member()
    order = books.order(member)
    books.earn(member, 100, order=order)
    books.spend(member, 100)
    assert books.take_back(member, 100, order=order) == 100
    assert books.owned(member) == {"owed": -100}
    books.earn(member, 60, pending=pending)
    assert books.owned(member) == {"owed": -40}
    books.earn(member, 60, pending=pending)
    assert books.owned(member) == {"pending" if pending else "points": 20} and books.sound()


def test_maturing_points_repay_a_debt_made_meanwhile(database: Database) -> None:
    books = books_with(database, refunds="may_go_negative", **PENDING)
    member = books.member()
    order = books.order(member)
    books.earn(member, 100, order=order)
    books.spend(member, 100)
    books.earn(member, 70, pending=True)
    books.earn(member, 50, pending=True)
    books.take_back(member, 100, order=order)
    assert books.owned(member) == {"pending": 120, "owed": -100}
    assert books.mature(NOW + 8 * DAY) == 120
    assert books.owned(member) == {"points": 20} and books.sound()


def test_an_adjustment_down_stops_at_what_there_is(database: Database) -> None:
    books = books_with(database)
    member = books.member()
    with books.transaction() as connection:
        points.adjust(connection, books.rules, member, 50, key="a", by=BY, reason="补录", now=NOW)
        points.adjust(connection, books.rules, member, -20, key="b", by=BY, reason="更正", now=NOW)
    with pytest.raises(MemberError, match="insufficient"), books.transaction() as connection:
        points.adjust(connection, books.rules, member, -31, key="c", by=BY, reason="更正", now=NOW)
    assert books.owned(member) == {"points": 30}
    assert [deed["detail"]["points"] for deed in books.deeds("points.adjust")] == [50, -20]
    assert books.sound()


def test_points_charged_twice_on_retry(database: Database) -> None:
    """A till that heard no answer says the same again: spent once, clawed back once, given once."""
    books = books_with(database)
    member = books.member()
    order = books.order(member)
    books.earn(member, 100, order=order)
    for _ in range(3):
        with books.transaction() as connection:
            points.spend(connection, member, 30, key="s", by=BY, reason="兑换", now=NOW)
            points.give(connection, books.rules, member, 5, key="g", kind="gift", by=BY, reason="赠", now=NOW)
        assert books.take_back(member, 20, order=order, key="r") == 20
    assert books.owned(member) == {"points": 55}
    assert len(books.deeds("points.spend")) == len(books.deeds("points.give")) == 1
    assert books.sound()
