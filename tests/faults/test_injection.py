"""The saboteur sees every statement, by whatever way it reaches the driver."""

import contextlib
from collections.abc import Iterator

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from members import ledger
from members.db import Database
from members.tables import Store, table
from tests.faults.injection import Kind, Saboteur, failing, sabotaged

STORES = table(Store)


@pytest.fixture
def books(books_url: str) -> Iterator[tuple[Database, Saboteur]]:
    database = Database(books_url)
    yield database, sabotaged(database)
    database.dispose()


@pytest.mark.parametrize("kind", ["refused", "lost"])
def test_core_and_prepared_statements_and_the_commit_fail(books: tuple[Database, Saboteur], kind: Kind) -> None:
    database, saboteur = books
    for nth in (1, 2, 3, 4):
        with pytest.raises(OperationalError), failing(database, saboteur, nth, kind) as connection:
            connection.execute(insert(STORES), {"id": "s1", "name": "一店"})
            ledger.balances(connection, 1)
            connection.execute(insert(STORES), [{"id": f"t{n}", "name": "店"} for n in range(3)])
        assert saboteur.hit
        with database.reading() as connection:
            assert connection.execute(select(STORES)).all() == []
    with failing(database, saboteur, 0) as connection:
        ledger.balances(connection, 1)
    assert saboteur.seen == 2


def test_a_commit_without_an_answer_is_done(books: tuple[Database, Saboteur]) -> None:
    database, saboteur = books
    with pytest.raises(DBAPIError), failing(database, saboteur, 2, "answer_lost") as connection:
        connection.execute(insert(STORES), {"id": "s1", "name": "一店"})
    with database.reading() as connection:
        assert len(connection.execute(select(STORES)).all()) == 1


def test_what_follows_a_swallowed_failure_is_not_booked(books: tuple[Database, Saboteur]) -> None:
    """Code that goes on after a failure books no half: what was lost takes everything with it."""
    database, saboteur = books
    with contextlib.suppress(SQLAlchemyError), failing(database, saboteur, 2, "lost") as connection:
        connection.execute(insert(STORES), {"id": "s1", "name": "一店"})
        with contextlib.suppress(DBAPIError):
            connection.execute(text("SELECT 1"))
    with database.reading() as connection:
        assert connection.execute(select(STORES)).all() == []
