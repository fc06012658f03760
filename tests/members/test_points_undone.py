"""Whatever was booked can be undone, lot by lot; and nobody gains by buying and returning."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select, update

from members import balance, exchange, ledger, points
from members.db import Database
from members.errors import MemberError
from tests.members.value_books import BY, DAY, NOW, Books, rules_with

PENDING = {"pending_days": 7}


@pytest.fixture
def database(books_url: str) -> Database:
    return Database(books_url)


def test_undoing_puts_points_back_where_they_were(database: Database) -> None:
    books = Books(database)
    member = books.member()
    books.earn(member, 10)
    books.earn(member, 20, at=NOW + DAY)
    spent = books.spend(member, 25, at=NOW + DAY)
    before = books.lots(member)
    once = books.undo(spent, at=NOW + 2 * DAY)
    assert books.undo(spent, at=NOW + 3 * DAY) == once
    assert before == [("points", 10, 0), ("points", 20, 5)]
    assert books.lots(member) == [("points", 10, 10), ("points", 20, 20)]
    assert books.sound()


def test_undoing_what_was_spent_since_is_refused(database: Database) -> None:
    books = Books(database)
    member = books.member()
    given = books.earn(member, 10)
    books.spend(member, 1)
    with pytest.raises(MemberError, match="insufficient"):
        books.undo(given)
    assert books.owned(member) == {"points": 9} and books.sound()


def test_undoing_points_that_matured_since(database: Database) -> None:
    books = Books(database, rules_with(earn=PENDING))
    member = books.member()
    given = books.earn(member, 10, pending=True)
    books.mature(NOW + 8 * DAY)
    books.undo(given, at=NOW + 8 * DAY)
    assert books.owned(member) == {} and books.sound()


def test_undoing_a_debt_that_was_repaid_since_brings_points(database: Database) -> None:
    books = Books(database, rules_with(earn={"refunds": "may_go_negative"}))
    member = books.member()
    order = books.order(member)
    books.earn(member, 100, order=order)
    books.spend(member, 80)
    books.take_back(member, 100, order=order, key="r")
    books.earn(member, 50)
    assert books.owned(member) == {"owed": -30}
    with books.transaction() as connection:
        movement = ledger.find(connection, "r")
    assert movement is not None
    books.undo(movement)
    assert books.owned(member) == {"points": 70} and books.sound()


Deed = Callable[[Connection, Books, int, int], object]
DEEDS: dict[str, Deed] = {
    "earn": lambda c, b, m, o: points.give(
        c, b.rules, m, 40, key="k", kind="earn", by=BY, reason="", now=NOW, order=o
    ),
    "earn pending": lambda c, b, m, o: points.give(
        c, b.rules, m, 40, key="k", kind="earn", by=BY, reason="", now=NOW, order=o, pending=True
    ),
    "spend": lambda c, b, m, o: points.spend(c, m, 60, key="k", by=BY, reason="", now=NOW),
    "adjust up": lambda c, b, m, o: points.adjust(c, b.rules, m, 7, key="k", by=BY, reason="", now=NOW),
    "adjust down": lambda c, b, m, o: points.adjust(c, b.rules, m, -7, key="k", by=BY, reason="", now=NOW),
    "claw back": lambda c, b, m, o: points.take_back(
        c, b.rules, m, 10_000, order=o, key="k", by=BY, reason="", now=NOW
    ),
    "exchange": lambda c, b, m, o: exchange.partner(c, b.rules, m, "air", 50, key="k", by=BY, now=NOW),
    "top up": lambda c, b, m, o: balance.top_up(c, b.rules, m, 500_00, key="k", by=BY, now=NOW),
    "pay": lambda c, b, m, o: balance.pay(c, b.rules, m, 99_99, key="k", by=BY, now=NOW),
    "give back": lambda c, b, m, o: balance.give_back(c, m, 3, 4, key="k", by=BY, now=NOW, order=o, reason=""),
    "cash out": lambda c, b, m, o: balance.cash_out(c, m, 77_77, key="k", by=BY, now=NOW),
    "mature": lambda c, b, m, o: points.mature(c, b.rules, NOW + 8 * DAY),
    "expire": lambda c, b, m, o: ledger.expire_points(c, points.expires_at(b.rules, NOW)),
}  # fmt: skip


@pytest.mark.parametrize("name", DEEDS)
def test_any_movement_can_be_undone(database: Database, name: str) -> None:
    """After the reversal every balance and every lot is as before."""
    rules = rules_with(
        earn={"refunds": "may_go_negative", **PENDING}, balance={"topup": [{"over": 100, "gift": 10}]},
        partners={"air": {"title": "航空里程", "points": 10, "units": 4}},
    )  # fmt: skip
    books = Books(database, rules)
    member = books.member()
    order = books.order(member)
    books.earn(member, 50)
    books.earn(member, 30, order=order)
    books.earn(member, 20, order=order, pending=True)
    with books.transaction() as connection:
        balance.top_up(connection, rules, member, 300_00, key="before", by=BY, now=NOW)
    before, lots_before = books.owned(member), books.lots(member)
    with books.transaction() as connection:
        DEEDS[name](connection, books, member, order)
        last = connection.execute(select(func.max(ledger.movements.c.id))).scalar_one()
    assert books.owned(member) != before
    books.undo(last)
    assert books.owned(member) == before
    assert books.lots(member)[: len(lots_before)] == lots_before
    assert all(left == 0 for _, _, left in books.lots(member)[len(lots_before) :])
    assert books.sound()


def test_a_reversal_is_undone_too_but_only_once(database: Database) -> None:
    books = Books(database)
    member = books.member()
    books.earn(member, 10, at=NOW + DAY)
    books.earn(member, 90, at=NOW + 2 * DAY)
    back = books.undo(books.spend(member, 60, at=NOW + 2 * DAY))
    books.earn(member, 70)
    books.undo(back)
    assert books.lots(member) == [("points", 10, 0), ("points", 90, 40), ("points", 70, 70)]
    assert books.owned(member) == {"points": 110} and books.sound()


def test_what_a_merged_member_did_is_not_undone(database: Database) -> None:
    books = Books(database)
    member, other = books.member(), books.member()
    given = books.earn(member, 100)
    with books.transaction() as connection:
        connection.execute(update(ledger.members).where(ledger.members.c.id == member).values(state="merged"))
    with pytest.raises(MemberError, match="member_merged"):
        books.undo(given)
    assert books.owned(other) == {}


def test_points_mature_and_run_out_again_after_that_was_undone(database: Database) -> None:
    books = Books(database, rules_with(earn=PENDING))
    member = books.member()
    books.earn(member, 10, pending=True)
    for many in (10, 12):
        assert books.mature(NOW + 8 * DAY) == many
        books.undo(newest(books), at=NOW + 8 * DAY)
        if many == 10:
            books.earn(member, 2, pending=True)
    assert books.owned(member) == {"pending": 12} and books.mature(NOW + 8 * DAY) == 12
    late = points.expires_at(books.rules, NOW)
    for _ in range(2):
        assert books.expire(late) == 12
        books.undo(newest(books), at=late)
    assert books.expire(late) == 12 and books.owned(member) == {} and books.sound(late)


def newest(books: Books) -> int:
    """The movement booked last."""
    with books.database.reading() as connection:
        return int(connection.execute(select(func.max(ledger.movements.c.id))).scalar_one())


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["earn", "earn pending", "other", "spend", "refund", "wait", "expire", "mature", "undo"]),
        st.integers(1, 200),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(policy=st.sampled_from(["only_pending", "down_to_zero", "may_go_negative"]), moves=MOVES)
def test_nobody_gains_by_buying_and_returning(database: Database, policy: str, moves: list[tuple[str, int]]) -> None:
    """Whatever happens between, at the end of all refunds the member has had what was given for nothing, at most.

    `may_go_negative` makes it exact: points there were − points used and run out = points there are − what is owed.
    """
    rules = rules_with(earn={"refunds": policy, **PENDING}, expiry={"months": 1})
    books = Books(database, rules)
    member, now = books.member(), NOW
    order, earned, due, free, used, lapsed = books.order(member), 0, 0, 0, 0, 0
    spends: list[tuple[int, int]] = []
    for move, many in moves:
        with suppress(MemberError):
            if move.startswith("earn"):
                books.earn(member, many, at=now, order=order, pending=move == "earn pending")
                earned += many
            elif move == "other":
                books.earn(member, many, at=now)
                free += many
            elif move == "spend":
                spends.append((books.spend(member, many, at=now), many))
                used += many
            elif move == "undo" and spends:
                movement, back = spends.pop()
                books.undo(movement, at=now)
                used -= back
            elif move == "refund" and earned > due:
                part = min(many, earned - due)
                due += part
                taken = books.take_back(member, part, order=order, at=now)
                assert 0 <= taken <= part
            elif move == "wait":
                now += many * DAY / 7
            elif move == "expire":
                lapsed += books.expire(now)
            elif move == "mature":
                books.mature(now)
    if earned > due:
        books.take_back(member, earned - due, order=order, at=now)
    lapsed += books.expire(now)
    owned = books.owned(member)
    kept = owned.get("points", 0) + owned.get("pending", 0) + owned.get("owed", 0) + used
    assert books.sound(now)
    if policy == "may_go_negative":
        assert free - lapsed <= kept <= free
