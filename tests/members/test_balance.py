"""Stored value: topped up with its gift, split by rule when it pays, brought back to where it came from."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members import balance, ledger
from members.db import Database
from members.errors import MemberError
from members.rules import Rules
from tests.members.value_books import BY, DAY, NOW, Books, rules_with

STEPS = [{"over": 500, "gift": 50}, {"over": 1000, "gift": 150}, {"over": 200, "gift": 10}]
PAYS = ("first", "last", "proportional")


@pytest.fixture
def database(books_url: str) -> Database:
    return Database(books_url)


def with_balance(**parts: Any) -> Rules:
    """Rules with these parts of `loyalty.balance`."""
    return rules_with(balance={"topup": STEPS, **parts})


def topped_up(database: Database, rules: Rules, amount: int) -> tuple[Books, int]:
    """A member who has just put so much on the balance."""
    books = Books(database, rules)
    member = books.member()
    with books.transaction() as connection:
        balance.top_up(connection, rules, member, amount, key="t", by=BY, now=NOW)
    return books, member


def pay(books: Books, member: int, amount: int, key: str = "p", order: int | None = None) -> balance.Paid:
    """A payment in a transaction of its own."""
    with books.transaction() as connection:
        return balance.pay(connection, books.rules, member, amount, key=key, by=BY, now=NOW, order=order)


@pytest.mark.parametrize(("yuan", "gift"), [(199, 0), (200, 10), (499, 10), (500, 50), (1000, 150), (5000, 150)])
def test_the_highest_step_reached_gives_the_gift(yuan: int, gift: int) -> None:
    assert balance.gift_for(with_balance(), yuan * 100) == gift * 100


def test_topping_up_happens_once_per_key(database: Database) -> None:
    books, member = topped_up(database, with_balance(), 500_00)
    with books.transaction() as connection:
        again = balance.top_up(connection, books.rules, member, 500_00, key="t", by=BY, now=NOW + DAY)
    assert (again.principal, again.gift) == (500_00, 50_00)
    assert books.owned(member) == {"principal": 500_00, "gift": 50_00}
    (deed,) = books.deeds("balance.topup")
    assert deed["after"] == {"principal": 500_00, "gift": 50_00} and deed["before"] == {"principal": 0, "gift": 0}
    assert books.sound()


@pytest.mark.parametrize(
    ("fen", "code"),
    [
        (0, "amount_range"),
        (-1, "amount_range"),
        (10**10 + 1, "amount_range"),
        (99, "topup_range"),
        (5000_01, "topup_range"),
    ],
)
def test_amounts_out_of_range_are_refused(database: Database, fen: int, code: str) -> None:
    books = Books(database, with_balance())
    member = books.member()
    with pytest.raises(MemberError, match=code), books.transaction() as connection:
        balance.top_up(connection, books.rules, member, fen, key="t", by=BY, now=NOW)
    assert books.owned(member) == {}


@pytest.mark.parametrize("amount", [0, -1, -(10**12)])
def test_negative_pay(database: Database, amount: int) -> None:
    books, member = topped_up(database, with_balance(), 500_00)
    for deed in (
        lambda c: balance.pay(c, books.rules, member, amount, key="p", by=BY, now=NOW),
        lambda c: balance.cash_out(c, member, amount, key="p", by=BY, now=NOW),
        lambda c: balance.give_back(c, member, amount, 0, key="p", by=BY, now=NOW, order=None, reason="退货"),
        lambda c: balance.give_back(c, member, 5, -1, key="p", by=BY, now=NOW, order=None, reason="退货"),
    ):
        with pytest.raises(MemberError, match="amount_range"), books.transaction() as connection:
            deed(connection)
    assert books.owned(member) == {"principal": 500_00, "gift": 50_00}


@pytest.mark.parametrize(
    ("gift_pays", "most", "amount", "split"),
    [
        ("last", "100%", 400, (400, 0)), ("last", "100%", 1050, (1000, 50)), ("last", "100%", 1100, (1000, 100)),
        ("first", "100%", 60, (0, 60)), ("first", "100%", 400, (300, 100)), ("first", "50%", 60, (30, 30)),
        ("proportional", "100%", 110, (100, 10)), ("proportional", "100%", 111, (101, 10)),
        ("proportional", "100%", 1100, (1000, 100)), ("proportional", "5%", 110, (105, 5)),
        ("first", "5%", 1000, (950, 50)), ("last", "0%", 1000, (1000, 0)),
    ],
)  # fmt: skip
def test_a_payment_is_split_by_rule(gift_pays: str, most: str, amount: int, split: tuple[int, int]) -> None:
    rules = with_balance(gift_pays=gift_pays, gift_at_most=most)
    assert balance.split(rules, amount, 1000, 100) == split


@given(st.sampled_from(PAYS), st.integers(0, 100), st.integers(1, 3000), st.integers(0, 2000), st.integers(0, 2000))
def test_a_split_is_exact_or_refused(gift_pays: str, most: int, amount: int, principal: int, gift: int) -> None:
    rules = with_balance(gift_pays=gift_pays, gift_at_most=f"{most}%")
    cap = amount * most // 100
    if amount > principal + min(gift, cap):
        with pytest.raises(MemberError, match="insufficient"):
            balance.split(rules, amount, principal, gift)
        return
    of_principal, of_gift = balance.split(rules, amount, principal, gift)
    assert of_principal + of_gift == amount
    assert 0 <= of_principal <= principal and 0 <= of_gift <= min(gift, cap)
    if gift_pays == "last":
        assert of_gift == max(amount - principal, 0)
    if gift_pays == "first":
        assert of_gift == min(gift, cap)


@pytest.mark.parametrize("gift_pays", PAYS)
def test_paying_everything_leaves_nothing_and_more_is_refused(database: Database, gift_pays: str) -> None:
    books, member = topped_up(database, with_balance(gift_pays=gift_pays), 500_00)
    with pytest.raises(MemberError, match="insufficient"):
        pay(books, member, 550_01)
    paid = pay(books, member, 550_00)
    assert (paid.principal, paid.gift) == (500_00, 50_00)
    assert pay(books, member, 550_00) == paid
    assert books.owned(member) == {} and books.sound()


def test_what_a_refund_brings_back_goes_where_it_came_from(database: Database) -> None:
    books, member = topped_up(database, with_balance(), 500_00)
    order = books.order(member)
    paid = pay(books, member, 110_00, order=order)
    with books.transaction() as connection:
        for _ in range(2):
            balance.give_back(
                connection, member, paid.principal, paid.gift, key="r", by=BY, now=NOW, order=order, reason="退货"
            )
    assert books.owned(member) == {"principal": 500_00, "gift": 50_00}
    assert books.deeds("balance.pay") == books.deeds("balance.give_back") == []


def test_paying_out_principal_takes_its_part_of_the_gift(database: Database) -> None:
    books, member = topped_up(database, with_balance(), 500_00)
    with books.transaction() as connection:
        first = balance.cash_out(connection, member, 100_00, key="c", by=BY, now=NOW)
    assert books.owned(member) == {"principal": 400_00, "gift": 40_00}
    with pytest.raises(MemberError, match="insufficient"), books.transaction() as connection:
        balance.cash_out(connection, member, 400_01, key="d", by=BY, now=NOW)
    with books.transaction() as connection:
        balance.cash_out(connection, member, 400_00, key="e", by=BY, now=NOW)
        assert balance.cash_out(connection, member, 100_00, key="c", by=BY, now=NOW) == first
    assert books.owned(member) == {} and books.sound()


@given(st.lists(st.integers(1, 400), max_size=8))
def test_no_way_of_paying_out_in_parts_keeps_the_gift(parts: list[int]) -> None:
    principal, gift = 1000, 100
    for part in [*parts, 1000]:
        part = min(part, principal)
        if part:
            principal, gift = principal - part, gift - gift * part // principal
    assert (principal, gift) == (0, 0)


def test_undoing_a_top_up_takes_the_gift_too_unless_it_was_spent(database: Database) -> None:
    books, member = topped_up(database, with_balance(gift_pays="first"), 500_00)
    with books.transaction() as connection:
        movement = ledger.find(connection, "t")
    assert movement is not None
    paid = pay(books, member, 1)
    with pytest.raises(MemberError, match="insufficient"):
        books.undo(movement)
    books.undo(paid.movement)
    books.undo(movement)
    assert books.owned(member) == {} and books.sound()
