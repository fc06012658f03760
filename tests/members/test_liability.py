"""What the shop owes: exact figures from books small enough to reckon by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members import balance, coupons, liability
from members.db import Database
from members.liability import Liability
from tests.members.value_books import BY, DAY, NOW, ZONE, Books, rules_with


@pytest.fixture
def database(books_url: str) -> Database:
    return Database(books_url)


def forecast(books: Books) -> Liability:
    """The forecast of now."""
    with books.database.reading() as connection:
        return liability.forecast(connection, books.rules, NOW)


def issue(books: Books, member: int, code: str, key: str) -> coupons.Issued:
    """A coupon."""
    with books.transaction() as connection:
        rule = books.rules.coupons[code]
        return coupons.issue(connection, code, rule, member, key=key, by=BY, reason="", zone=ZONE, now=NOW)


def test_empty_books_owe_nothing(database: Database) -> None:
    found = forecast(Books(database))
    assert (found.points, found.expected, found.coupons) == (0, 0, ())
    assert found.share == 800, "the prior alone"


def test_points_are_weighed_by_what_was_used_and_what_ran_out(database: Database) -> None:
    books = Books(database, rules_with(earn={"pending_days": 7}))
    member = books.member()
    books.earn(member, 2000)
    books.earn(member, 500, at=NOW - 800 * DAY)
    books.earn(member, 40, pending=True)
    books.expire(NOW)
    books.spend(member, 700)
    books.undo(books.spend(member, 100))
    found = forecast(books)
    assert (found.points, found.pending, found.owed) == (1300, 40, 0)
    share = Fraction(700 + 800, 700 + 500 + 1000)
    assert found.share == round(share * 1000)
    cost = Fraction(800, 300)
    assert found.point_cost == round(cost * 1000)
    assert found.points_at_most == int(1340 * cost) and found.points_expected == int(1340 * cost * share)
    assert found.expected == found.points_expected


@pytest.mark.parametrize(
    ("loyalty", "per_thousand"),
    [
        ({"reward": []}, 0), ({"reward": [], "earn": {"back": "1%"}}, 1000),
        ({"reward": [{"points": 100, "coupon": "off-5"}]}, 5000),
        ({"points_to_voucher": {"rate": "100 分 = 3 元"}}, 3000),
        ({"points_to_voucher": {"rate": "100 分 = 1 元"}}, 2667),
    ],
)  # fmt: skip
def test_a_point_costs_what_the_dearest_way_out_of_it_costs(
    database: Database, loyalty: dict[str, Any], per_thousand: int
) -> None:
    assert forecast(Books(database, rules_with(**loyalty))).point_cost == per_thousand


def test_balance_and_debts_are_counted(database: Database) -> None:
    books = Books(
        database, rules_with(balance={"topup": [{"over": 100, "gift": 10}]}, earn={"refunds": "may_go_negative"})
    )
    member, other = books.member(), books.member()
    with books.transaction() as connection:
        balance.top_up(connection, books.rules, member, 100_00, key="t", by=BY, now=NOW)
    books.take_back(other, 30, order=None)
    found = forecast(books)
    assert (found.principal, found.gift, found.owed, found.expected) == (100_00, 10_00, 30, 110_00)


def test_coupons_are_weighed_by_template(database: Database) -> None:
    books = Books(database)
    member = books.member()
    issued = [issue(books, member, "off-5", f"k{n}") for n in range(6)]
    issue(books, member, "soup", "s")
    with books.transaction() as connection:
        for one in issued[:2]:
            coupons.redeem(connection, one.code, by=BY, store=None, now=NOW, discount=300)
        assert coupons.void(connection, issued[2].id, by=BY, now=NOW, give_back=True)
    found = {one.template: one for one in forecast(books).coupons}
    five, soup = found["off-5"], found["soup"]
    share = Fraction(2 + 8, 2 + 10)
    assert (five.held, five.at_most, five.share) == (3, 1500, round(share * 1000))
    assert five.expected == int(3 * 300 * share)
    assert (soup.held, soup.at_most, soup.share, soup.expected) == (1, 800, 800, 640)
    assert forecast(books).expected == five.expected + soup.expected


def test_a_coupon_that_ran_out_unnoticed_is_owed_no_more(database: Database) -> None:
    books = Books(database)
    issue(books, books.member(), "off-5", "k")
    with books.database.reading() as connection:
        assert liability.forecast(connection, books.rules, NOW + 30 * DAY).coupons == ()


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 10**4))
def test_a_share_lies_between_nothing_and_everything(used: int, lapsed: int, weight: int) -> None:
    assert 0 < liability._share(used, lapsed, weight) <= 1


def test_it_can_be_said_and_written(database: Database) -> None:
    books = Books(database)
    member = books.member()
    books.earn(member, 1300)
    issue(books, member, "soup", "s")
    found = forecast(books)
    assert json.loads(json.dumps(found.as_dict(), default=str))["points"] == 1300
    assert liability.lines(found) == [
        "未用积分\t1,300(另有待生效 0,欠扣 0)",
        "预计会用\t80.0%,每千分最多值 ¥26.67",
        "积分成本\t预计 ¥27.73,最多 ¥34.66",
        "储值余额\t本金 ¥0.00,赠送 ¥0.00",
        "券 免费例汤\t1 张,预计会用 80.0%,预计 ¥6.40,最多 ¥8.00",
        "合计预计\t¥34.13",
    ]


def test_many_templates_are_said_in_few_lines(database: Database) -> None:
    held = [liability.CouponsHeld(f"t{n:02}", f"券{n}", n, 800, n * 10, n * 8) for n in range(1, 13)]
    found = replace(forecast(Books(database)), coupons=(*held, liability.CouponsHeld("u", "谜", 99, 800, 0, 0)))
    said = liability.lines(found)
    assert said[4] == "券 券12\t12 张,预计会用 80.0%,预计 ¥0.96,最多 ¥1.20" and len(said) == 16
    assert said[-2] == "其余 3 种券\t102 张,预计 ¥0.24"
    assert "成本未写" in liability.lines(replace(found, coupons=found.coupons[-1:]))[4]
