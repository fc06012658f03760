"""One list at a time for a member, whoever asks at the same moment; taken back or finished, never both."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from members import reorders, shops, staffing, tasks
from members.audit import Actor
from members.db import Database
from members.errors import MemberError
from members.products import ProductRow, upsert
from members.tables import StaffTask, table
from tests.members.till import Till, line

BY = Actor("member:1")
rows = table(StaffTask)


@pytest.fixture
def till(books_url: str) -> Iterator[Till]:
    """A till where a member has bought two articles."""
    database = Database(books_url)
    made = Till(database)
    with made.transaction() as connection:
        upsert(connection, [ProductRow("egg", "鸡蛋"), ProductRow("milk", "牛奶")])
    made.sell(made.member(), 30_00, [line("egg", 20_00, 2), line("milk", 5_00), line("egg", 5_00)])
    yield made
    database.dispose()


def place(till: Till, key: str) -> int | str:
    """Place the last order once more; the task's number, or why not."""
    try:
        with till.transaction() as connection:
            found = reorders.last(connection, 1)
            assert found is not None
            return reorders.place(
                connection, till.rules, 1, found.today, store="s1", text="备货", key=key, by=BY, now=till.now
            )
    except MemberError as refused:
        return refused.code


def at_once(*deeds: Any) -> list[Any]:
    """Do these at the same time."""
    gate = Barrier(len(deeds))

    def one(deed: Any) -> Any:
        gate.wait()
        return deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return [future.result() for future in [pool.submit(one, deed) for deed in deeds]]


def test_an_article_on_two_lines_is_one_article(till: Till) -> None:
    with till.transaction() as connection:
        found = reorders.last(connection, 1)
    assert found is not None and [(one.name, one.quantity) for one in found.today] == [("鸡蛋", 3), ("牛奶", 1)]
    assert (found.store, len(found.lines)) == ("s1", 2)


def test_of_many_at_once_one_is_placed(till: Till) -> None:
    done = at_once(*(lambda key=key: place(till, f"k{key}") for key in range(4)))
    assert sorted(map(str, done)) == ["1", "reorder_open", "reorder_open", "reorder_open"]
    assert till.count(StaffTask) == 1


def test_taken_back_or_finished_but_not_both(till: Till) -> None:
    with till.transaction() as connection:
        staff = shops.add_staff(connection, openid="o-w", name="小王", role="cashier", store="s1", now=till.now)
        server = staffing.on_duty(connection, staff)
    number = place(till, "k")

    def withdraw() -> bool:
        with till.transaction() as connection:
            return reorders.withdraw(connection, 1, by=BY, now=till.now) is not None

    def finish() -> bool:
        try:
            with till.transaction() as connection:
                tasks.finish(connection, int(number), server, "好了", by=BY, now=till.now)
        except MemberError:
            return False
        return True

    assert sorted(at_once(withdraw, finish)) == [False, True]
    with till.database.reading() as connection:
        assert connection.scalars(select(rows.c.state)).one() in ("done", "dropped")


def test_what_came_back_is_not_ordered_again(till: Till) -> None:
    sold = till.sell(1, 20_00, [line("egg", 10_00), line("milk", 10_00)])
    from members.refunds import RefundLine

    till.refund(sold.order_no, lines=[RefundLine("egg", 1)])
    with till.transaction() as connection:
        found = reorders.last(connection, 1)
    assert found is not None and [one.name for one in found.today] == ["牛奶"]
