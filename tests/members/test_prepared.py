"""Prepared statements say, convert and fail as Core does, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError, StatementError

from members.db import Database
from members.prepared import Prepared, among
from members.tables import Follower, Inbox, table

NOW = datetime(2026, 3, 2, 10, 0, 0, 5, tzinfo=timezone(timedelta(hours=8)))
inbox, followers = table(Inbox), table(Follower)
ADD = Prepared(
    upsert(inbox)
    .values(
        key=bindparam("key"), openid=bindparam("openid"), kind="text", received_at=bindparam("received_at"),
        reply=None, incident="",
    )
    .on_conflict_do_nothing(index_elements=[inbox.c.key])
    .returning(inbox.c.key)
)  # fmt: skip
OF_KEYS = select(inbox.c.key, inbox.c.received_at, inbox.c.kind).where(among(inbox.c.key, "keys")).order_by(inbox.c.key)


def row(key: str) -> dict[str, object]:
    return {"key": key, "openid": "o'%s", "received_at": NOW}


@pytest.fixture
def books(books_url: str) -> Iterator[Database]:
    """Books with two callbacks in the inbox."""
    database = Database(books_url)
    with database.transaction() as connection:
        assert sorted(ADD.rows_together(connection, [row("a"), row("b")])) == [("a",), ("b",)]
    yield database
    database.dispose()


def test_values_come_back_as_core_gives_them(books: Database) -> None:
    with books.reading() as connection:
        found = Prepared(OF_KEYS).rows(connection, {"keys": ["b", "c", "a"]})
        assert found == [("a", NOW, "text"), ("b", NOW, "text")]
        assert found == [tuple(one) for one in connection.execute(OF_KEYS, {"keys": ["a", "b"]})]
        assert found[0][1].tzinfo is UTC


def test_a_list_may_be_of_any_length_and_two_lists_are_not_mixed_up(books: Database) -> None:
    of_openids = select(inbox.c.key).where(among(inbox.c.openid, "keys")).order_by(inbox.c.key)
    with books.reading() as connection:
        for statement, given, found in (
            (OF_KEYS, [], []),
            (OF_KEYS, ["a"], ["a"]),
            (OF_KEYS, [str(number) for number in range(5000)] + ["b"], ["b"]),
            (of_openids, ["a"], []),
            (of_openids, ["o'%s"], ["a", "b"]),
        ):
            assert [one[0] for one in Prepared(statement).rows(connection, {"keys": given})] == found
            assert [one[0] for one in connection.execute(statement, {"keys": given})] == found


def test_only_what_is_new_comes_back(books: Database) -> None:
    with books.transaction() as connection:
        assert ADD.rows_together(connection, [row("a"), row("c")]) == [("c",)]


def test_an_error_is_sqlalchemys_and_the_savepoint_undoes_it(books: Database) -> None:
    values = {name: bindparam(name) for name in ("key", "openid", "received_at")}
    again = Prepared(insert(inbox).values(kind="text", incident="", **values))
    with books.transaction() as connection:
        savepoint = connection.begin_nested()
        with pytest.raises(IntegrityError) as caught:
            again.many(connection, [row("d"), row("a")])
        assert "o'%s" not in str(caught.value)
        savepoint.rollback()
    with books.reading() as connection:
        assert [one[0] for one in connection.execute(select(inbox.c.key).order_by(inbox.c.key))] == ["a", "b"]


def test_a_missing_or_naive_value_is_refused(books: Database) -> None:
    with books.transaction() as connection:
        with pytest.raises(KeyError):
            Prepared(OF_KEYS).rows(connection, {})
        with pytest.raises(ValueError, match="naive"):
            ADD.rows_together(connection, [row("e") | {"received_at": datetime(2026, 1, 1)}])  # noqa: DTZ001
        with pytest.raises(StatementError, match="naive"):
            connection.execute(insert(inbox), row("e") | {"kind": "text", "received_at": datetime(2026, 1, 1)})  # noqa: DTZ001


def test_it_begins_a_transaction_where_none_is_open(books: Database) -> None:
    with books.engine.connect() as connection:
        Prepared(delete(inbox).where(among(inbox.c.key, "keys"))).many(connection, [{"keys": ["a", "b"]}])
        connection.rollback()
        assert len(Prepared(OF_KEYS).rows(connection, {"keys": ["a", "b"]})) == 2


def test_a_list_is_looked_up_by_index_on_sqlite(books: Database) -> None:
    if not books.sqlite:
        pytest.skip("PostgreSQL chooses by the size of the table")
    statement = select(followers.c.followed).where(among(followers.c.openid, "openids"), followers.c.followed)
    with books.reading() as connection:
        sql = str(statement.compile(dialect=connection.dialect))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", ("[]",)).all()
        assert any("SEARCH follower" in one[3] for one in plan), plan
