"""Statements: complete, recomputable without any books, and telling of every change to any of their bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update

from members import balance, ledger, statements
from members.db import Database
from members.ledger import Booking, Leg, canonical, chain
from members.tables import Entry, table
from tests.members.value_books import BY, DAY, NOW, Books, rules_with


@pytest.fixture
def database(books_url: str) -> Database:
    return Database(books_url)


def lively(database: Database) -> tuple[Books, int]:
    """A member with points, pending points, a debt gone by, and both kinds of balance."""
    books = Books(database, rules_with(earn={"refunds": "may_go_negative", "pending_days": 7}))
    member, order = books.member(), 0
    order = books.order(member)
    books.earn(member, 100, order=order)
    books.undo(books.spend(member, 30))
    books.spend(member, 90)
    books.take_back(member, 100, order=order)
    books.earn(member, 200, pending=True)
    books.mature(NOW + 8 * DAY)
    with books.transaction() as connection:
        balance.top_up(connection, books.rules, member, 100_00, key="t", by=BY, now=NOW)
        legs = (Leg("gift", 500, member), Leg("issuer", -500))
        ledger.post(connection, Booking("g", "gift", "店长\t李", NOW, legs, '补偿\n两行 "引号"'))
    return books, member


def written(books: Books, member: int) -> list[str]:
    """The statement as it stands in a file."""
    with books.database.reading() as connection:
        return list(statements.as_text(statements.statement(connection, member)))


def test_a_statement_holds_every_line_and_verifies_without_books(database: Database) -> None:
    books, member = lively(database)
    lines = written(books, member)
    database.dispose()
    found = statements.examine([*lines, ""])
    assert found.problems == [] and statements.verify(lines) == []
    with books.database.reading() as connection:
        owned = ledger.balances(connection, member)
        assert found.balances == owned
        assert found.head == statements.summary(connection, member).head
    assert (found.member, found.entries) == (member, len(lines) - 2)
    assert [json.loads(line)["seq"] for line in lines[1:-1]] == list(range(1, len(lines) - 1))


def test_a_member_without_movements_has_a_statement_too(database: Database) -> None:
    books = Books(database)
    lines = written(books, books.member())
    assert len(lines) == 2 and statements.verify(lines) == []


def test_what_was_booked_after_the_head_was_read_is_not_in_it(database: Database) -> None:
    books, member = lively(database)
    with books.database.reading() as connection:
        lines = statements.statement(connection, member)
        first = next(lines)
        rest = list(lines)
    assert statements.verify(statements.as_text([first, *rest])) == []


def changed(lines: list[str], no: int, **facts: Any) -> list[str]:
    """The same lines with one changed."""
    return [*lines[:no], json.dumps(json.loads(lines[no]) | facts, ensure_ascii=False), *lines[no + 1 :]]


FORGERIES: dict[str, Callable[[list[str]], list[str]]] = {
    "amount": lambda lines: changed(lines, 2, amount=-1),
    "balance after": lambda lines: changed(lines, 2, balance_after=1_000_000),
    "reason": lambda lines: changed(lines, 3, reason="别的"),
    "actor": lambda lines: changed(lines, 3, actor="staff:8"),
    "key": lambda lines: changed(lines, 3, key="x"),
    "kind": lambda lines: changed(lines, 3, kind="gift"),
    "account": lambda lines: changed(lines, 1, account="gift"),
    "instant": lambda lines: changed(lines, 1, at="2026-03-02T02:00:00.000001+00:00"),
    "no zone": lambda lines: changed(lines, 1, at="2026-03-02T02:00:00"),
    "first year": lambda lines: changed(lines, 1, at="0001-01-01T00:00:00+14:00"),
    "number as text": lambda lines: changed(lines, 1, amount="100"),
    "more fields": lambda lines: changed(lines, 1, note="x"),
    "another member": lambda lines: changed(lines, 0, member=9_999),
    "another format": lambda lines: changed(lines, 0, format="x"),
    "footer balances": lambda lines: changed(lines, -1 % len(lines), balances={"points": 10**9}),
    "footer head": lambda lines: changed(lines, -1 % len(lines), head="00"),
    "footer count": lambda lines: changed(lines, -1 % len(lines), entries=1),
    "a line left out": lambda lines: [*lines[:3], *lines[4:]],
    "the last entries left out": lambda lines: [*lines[:-4], lines[-1]],
    "a line twice": lambda lines: [*lines[:3], lines[2], *lines[3:]],
    "two lines swapped": lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]],
    "no footer": lambda lines: lines[:-1],
    "no header": lambda lines: lines[1:],
    "nothing": lambda lines: [],
    "no JSON": lambda lines: [*lines[:2], "{", *lines[2:]],
    "half a character": lambda lines: [*lines[:2], '{"line": "\\ud800"}', *lines[2:]],
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_statement_is_told(database: Database, forgery: str) -> None:
    books, member = lively(database)
    assert statements.verify(FORGERIES[forgery](written(books, member))) != []


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_flipped_character_is_told(database: Database, data: st.DataObject) -> None:
    kept = vars(database)  # what takes long to write is written once for all examples
    if "lines" not in kept:
        kept["lines"] = written(*lively(database))
    lines: list[str] = list(kept["lines"])
    no = data.draw(st.integers(0, len(lines) - 1))
    line = lines[no]
    place = data.draw(st.integers(0, len(line) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda one: one != line[place]))
    lines[no] = line[:place] + other + line[place + 1 :]
    try:
        same = json.loads(lines[no]) == json.loads(line)
    except ValueError:
        same = False
    assert same or statements.verify(lines) != []


def forged_anew(lines: list[str], without: int) -> list[str]:
    """A statement whose every link, balance and count was made again after a line was left out."""
    read = [json.loads(line) for line in lines]
    owned: dict[str, int] = {}
    link = b""
    for entry in read[1:-1]:
        if entry["seq"] == without:
            continue
        owned[entry["account"]] = entry["balance_after"] = owned.get(entry["account"], 0) + entry["amount"]
        booking = Booking(
            entry["key"], entry["kind"], entry["actor"], datetime.fromisoformat(entry["at"]), (), entry["reason"]
        )
        leg = Leg(entry["account"], entry["amount"], read[0]["member"])
        link = chain(link, canonical(booking, leg, entry["seq"], entry["balance_after"]))
        entry["hash"] = link.hex()
    footer = read[-1] | {"balances": owned, "head": link.hex()}
    return list(statements.as_text([*(line for line in read[:-1] if line.get("seq") != without), footer]))


def test_a_gap_is_told_even_where_everything_else_was_forged_to_fit(database: Database) -> None:
    books, member = lively(database)
    lines = written(books, member)
    last = len(lines) - 2
    assert statements.verify(forged_anew(lines, 0)) == []
    assert "第3行:序号是 3,应为 2" in statements.verify(forged_anew(lines, 2))
    shorter = forged_anew(lines, last)
    shorter[-1] = json.dumps(json.loads(shorter[-1]) | {"entries": last - 1})
    found = statements.examine(shorter)
    assert found.problems == [], "only the head tells that the end was cut off:"
    assert statements.short(found.head) != statements.short(statements.examine(lines).head)


def test_books_that_were_changed_behind_our_back_give_a_statement_that_tells(database: Database) -> None:
    books, member = lively(database)
    entry = table(Entry)
    mine = (entry.c.member_id == member) & (entry.c.seq == 3)
    with books.transaction() as connection:
        connection.execute(update(entry).where(mine).values(amount=entry.c.amount + 1))
    assert statements.verify(written(books, member)) != []
    with books.transaction() as connection:
        connection.execute(update(entry).where(mine).values(amount=entry.c.amount - 1))
        connection.execute(text("UPDATE account SET balance = balance + 7 WHERE kind = 'gift'"))
    assert statements.verify(written(books, member)) != []


def test_the_head_is_shown_short(database: Database) -> None:
    assert statements.short("3f2a90bc1d77e004ff") == "3f2a 90bc 1d77 e004"
    assert statements.short("") == "0"
