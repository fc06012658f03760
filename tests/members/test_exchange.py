"""Points into coupons, into partners' units, and into vouchers by the calendar; each once, or not at all."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from members import coupons, exchange, identity
from members.db import Database
from members.errors import MemberError
from members.rules import Span
from members.tables import Coupon, table
from tests.members.value_books import BY, DAY, NOW, Books, rules_with

AIR = {"air": {"title": "航空里程", "points": 100, "units": 40, "at_least": 250}}
VOUCHER = {"every": "2 months", "rate": "100 分 = 1.50 元", "at_least": 300}
PERIOD = "2026-03-01"
copies = table(Coupon)


@pytest.fixture
def database(books_url: str) -> Database:
    return Database(books_url)


def books_with(database: Database, **loyalty: Any) -> Books:
    """Books with the reward of value_books, and these parts of `loyalty`."""
    books = Books(database, rules_with(**loyalty))
    with books.transaction() as connection:
        coupons.sync_templates(connection, books.rules.coupons, books.rules.loyalty.points_to_voucher)
    return books


def reward(books: Books, member: int, key: str = "r") -> coupons.Issued:
    """The soup for 300 points."""
    with books.transaction() as connection:
        rule = books.rules.loyalty.reward[0]
        return exchange.reward(connection, books.rules, member, rule, key=key, by=BY, now=NOW)


def miles(books: Books, member: int, many: int, key: str = "m") -> exchange.Exchanged:
    """Miles for so many points."""
    with books.transaction() as connection:
        return exchange.partner(connection, books.rules, member, "air", many, key=key, by=BY, now=NOW)


def convert(books: Books, period: str = PERIOD, limit: int = 500) -> list[exchange.Voucher]:
    """One page of the periodical conversion."""
    with books.transaction() as connection:
        return exchange.vouchers(connection, books.rules, period, NOW, limit=limit)


def held(books: Books, member: int) -> list[tuple[str, str, int | None]]:
    """The member's coupons: template, title, face."""
    wanted = select(copies.c.template, copies.c.title, copies.c.face).where(copies.c.member_id == member)
    with books.database.reading() as connection:
        return [tuple(row) for row in connection.execute(wanted.order_by(copies.c.id))]


def test_a_reward_costs_its_points_once(database: Database) -> None:
    books = books_with(database)
    member = books.member()
    books.earn(member, 650)
    first, again = reward(books, member), reward(books, member)
    assert (first.id, first.title, again.created) == (again.id, "免费例汤", False)
    assert books.owned(member) == {"points": 350} and held(books, member) == [("soup", "免费例汤", None)]
    (deed,) = books.deeds("coupon.issue")
    assert deed["detail"] == {"coupon": first.id, "template": "soup", "points": 300}
    reward(books, member, "second")
    with pytest.raises(MemberError, match="insufficient"):
        reward(books, member, "third")
    assert books.owned(member) == {"points": 50} and books.sound()


def test_a_reward_that_is_sold_out_costs_nothing(database: Database) -> None:
    books = books_with(database)
    member = books.member()
    books.earn(member, 300)
    with books.transaction() as connection:
        connection.execute(coupons.templates.update().values(stock=0))
    with pytest.raises(MemberError, match="template_empty"):
        reward(books, member)
    assert books.owned(member) == {"points": 300} and books.sound()


def test_points_go_to_a_partner_in_whole_multiples(database: Database) -> None:
    books = books_with(database, partners=AIR)
    member = books.member()
    books.earn(member, 1000)
    done = miles(books, member, 399)
    assert (done.points, done.units) == (300, 120)
    assert miles(books, member, 399) == done
    assert books.owned(member) == {"points": 700, "wallet:air": 120}
    (deed,) = books.deeds("points.exchange")
    assert deed["detail"] == {"movement": done.movement, "partner": "air", "points": 300, "units": 120}
    books.undo(done.movement)
    assert books.owned(member) == {"points": 1000} and books.sound()


@pytest.mark.parametrize(
    ("many", "code"), [(299, "partner_least"), (0, "amount_range"), (-300, "amount_range"), (2000, "insufficient")]
)
def test_what_a_partner_does_not_take(database: Database, many: int, code: str) -> None:
    books = books_with(database, partners=AIR)
    member = books.member()
    books.earn(member, 1000)
    with pytest.raises(MemberError, match=code):
        miles(books, member, many)
    with pytest.raises(MemberError, match="partner_unknown"), books.transaction() as connection:
        exchange.partner(connection, books.rules, member, "rail", 300, key="x", by=BY, now=NOW)
    assert books.owned(member) == {"points": 1000}


def test_every_period_points_become_vouchers_once(database: Database) -> None:
    books = books_with(database, points_to_voucher=VOUCHER)
    rich, poor, late, gone = (books.member() for _ in range(4))
    books.earn(rich, 777)
    books.earn(poor, 299)
    books.earn(gone, 900, at=NOW - timedelta(days=800))
    first = convert(books)
    assert [(one.member, one.points, one.fen) for one in first] == [(rich, 700, 1050)]
    assert convert(books) == []
    books.earn(rich, 500)
    books.earn(late, 300)
    assert [one.member for one in convert(books)] == [late]
    assert [(one.member, one.fen) for one in convert(books, "2026-05-01")] == [(rich, 750)]
    assert held(books, rich) == [("points-voucher", "10.50元积分券", 1050), ("points-voucher", "7.50元积分券", 750)]
    assert books.owned(rich) == {"points": 77} and books.owned(poor) == {"points": 299}
    assert books.sound()


def test_vouchers_are_made_page_by_page(database: Database) -> None:
    books = books_with(database, points_to_voucher=VOUCHER)
    everybody = [books.member() for _ in range(5)]
    for member in everybody:
        books.earn(member, 300)
    pages = [[one.member for one in convert(books, limit=2)] for _ in range(4)]
    assert pages == [everybody[:2], everybody[2:4], everybody[4:], []]


def test_who_was_merged_away_gets_no_voucher(database: Database) -> None:
    books = books_with(database, points_to_voucher=VOUCHER)
    member = books.member()
    books.earn(member, 300)
    with books.transaction() as connection:
        connection.execute(identity.members.update().values(state="merged"))
    assert convert(books) == []


@pytest.mark.parametrize(
    ("every", "day", "first"),
    [
        (Span(2, "month"), date(2026, 3, 1), date(2026, 3, 1)), (Span(2, "month"), date(2026, 4, 30), date(2026, 3, 1)),
        (Span(3, "month"), date(2026, 3, 31), date(2026, 1, 1)),
        (Span(7, "month"), date(2000, 7, 31), date(2000, 1, 1)),
        (Span(1, "week"), date(2000, 1, 8), date(2000, 1, 8)), (Span(10, "day"), date(2000, 1, 10), date(2000, 1, 1)),
        (Span(12, "month"), date(2028, 2, 29), date(2028, 1, 1)),
    ],
)  # fmt: skip
def test_periods_are_counted_from_the_year_2000(every: Span, day: date, first: date) -> None:
    assert exchange.period_of(every, day) == first


@given(st.integers(1, 24), st.sampled_from(["day", "week", "month"]), st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_periods_cover_every_day_without_a_gap(count: int, unit: str, day: date) -> None:
    every = Span(count, unit)
    first = exchange.period_of(every, day)
    assert first <= day < every.after(first)
    assert exchange.period_of(every, first) == first
    assert exchange.period_of(every, every.after(first)) == every.after(first)


@pytest.mark.parametrize("every", ["90 minutes", "0 days", "23 hours"])
def test_a_period_lasts_a_day_at_least(every: str) -> None:
    with pytest.raises(ValueError, match="every 至少一天"):
        rules_with(points_to_voucher={**VOUCHER, "every": every})


def test_a_day_later_the_voucher_is_worth_its_face_at_the_till(database: Database) -> None:
    books = books_with(database, points_to_voucher=VOUCHER)
    member = books.member()
    books.earn(member, 400)
    (made,) = convert(books)
    with books.transaction() as connection:
        used = coupons.redeem(connection, made.coupon.code, by=BY, store=None, now=NOW + DAY, discount=made.fen)
    assert (used.member, used.discount) == (member, 600)
    assert books.sound()
