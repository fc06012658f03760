"""The databases the tests stand on are what they say they are."""

from __future__ import annotations

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url

from tests.conftest import administrate, fresh_database


def test_each_database_starts_empty_and_takes_writes(database_url: str) -> None:
    engine = create_engine(database_url)
    assert inspect(engine).get_table_names() == []
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (word TEXT)"))
        connection.execute(text("INSERT INTO kept VALUES ('会员')"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT word FROM kept")).scalar_one() == "会员"
    engine.dispose()


def test_copy_of_a_template_holds_its_rows_and_is_gone_afterwards(postgres_url: str) -> None:
    before = databases(postgres_url)
    with fresh_database(postgres_url) as first:
        administrate(first, "CREATE TABLE {} AS SELECT 7 AS number", "seen")
        template = make_url(first).database
        assert template is not None
        with fresh_database(postgres_url, template) as second:
            engine = create_engine(second)
            with engine.connect() as connection:
                assert connection.execute(text("SELECT number FROM seen")).scalar_one() == 7
            engine.dispose()
    assert databases(postgres_url) == before


def databases(server_url: str) -> set[str]:
    engine = create_engine(server_url)
    with engine.connect() as connection:
        found = set(connection.execute(text("SELECT datname FROM pg_database")).scalars())
    engine.dispose()
    return found
