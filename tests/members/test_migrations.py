"""Books of an older storey are brought up with everything in them, and come out as new ones do."""

from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from members import schema
from members.db import Database

MOMENT = "2026-01-01 00:00:00.000000"
OLD_ROWS = (
    "INSERT INTO member (id, created_at, state, tier, personalised, chain_seq, chain_hash) "
    "VALUES (1, :moment, 'active', '', true, 0, '')",
    "INSERT INTO orders (id, order_no, member_id, buyer, at, day, total, discount, state, source) "
    "VALUES (5, 'A-1', 1, '', :moment, '2026-01-01', 500, 0, 'paid', '')",
    "INSERT INTO account (id, member_id, kind, balance) VALUES (1, 1, 'points', 5), (2, NULL, 'issuer', 0)",
    "INSERT INTO movement (id, key, kind, actor, reason, at, order_id) VALUES (1, 'k', 'earn', 'a', '', :moment, 5)",
    "INSERT INTO entry (movement_id, line_no, account_id, member_id, seq, amount, balance_after) "
    "VALUES (1, 0, 1, 1, 1, 5, 5), (1, 1, 2, NULL, NULL, -5, NULL)",
    "INSERT INTO point_lot (id, member_id, movement_id, amount, remaining, earned_at, expires_at) "
    "VALUES (1, 1, 1, 5, 5, :moment, :moment)",
    "INSERT INTO coupon_template (code, title, issued, active, source) VALUES ('off', '满100减20', 1, true, 'config')",
    "INSERT INTO coupon (id, code, key, template, member_id, title, state, issued_at, issued_by, reason, expires_at, "
    "redeemed_by) VALUES (1, 'C', 'k', 'off', 1, '', 'issued', :moment, '', '', :moment, '')",
)


@pytest.fixture
def old_books(database_url: str) -> Iterator[Database]:
    """Books of the first storey with a row of everything that is made anew on the way up."""
    database = Database(database_url)
    with database.engine.begin() as connection:
        command.upgrade(schema._config(connection), "0001")
        for statement in OLD_ROWS:
            connection.execute(text(statement), {"moment": MOMENT} if ":moment" in statement else {})
    yield database
    database.dispose()


def rows(database: Database, statement: str) -> list[tuple[Any, ...]]:
    """Return what a query finds."""
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def test_old_books_come_up_whole(old_books: Database) -> None:
    schema.upgrade(old_books)
    assert schema.current(old_books) == schema.head() == schema.newest_file()
    assert schema.differences(old_books) == []
    assert rows(old_books, "SELECT scope, order_no, total, refunded FROM orders") == [("", "A-1", 500, 0)]
    assert rows(old_books, "SELECT account, order_id, remaining FROM point_lot") == [("points", 5, 5)]
    assert rows(old_books, "SELECT granted_to, reserved, returned FROM coupon") == [(1, 0, False)]
    assert rows(old_books, "SELECT count(*) FROM entry") == [(2,)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE account SET balance = -1 WHERE id = 1",
        "UPDATE orders SET refunded = 501",
        "UPDATE point_lot SET remaining = 6",
        "UPDATE coupon SET state = 'lost'",
        "UPDATE coupon_template SET stock = 0",
        "UPDATE coupon_template SET budget = 1, committed = 2",
        "INSERT INTO orders (scope, order_no, buyer, at, day, total, discount, state, source) "
        "VALUES ('', 'A-1', '', :moment, '2026-01-01', 1, 0, 'paid', '')",
        "INSERT INTO account (member_id, kind, balance) VALUES (NULL, 'issuer', 0)",
        "UPDATE entry SET account_id = 77 WHERE line_no = 0",
    ],
)
def test_the_guards_stand_in_books_that_came_up(old_books: Database, statement: str) -> None:
    schema.upgrade(old_books)
    with pytest.raises(Exception, match=r"(?i)constraint"), old_books.transaction() as connection:
        connection.execute(text(statement), {"moment": MOMENT} if ":moment" in statement else {})
