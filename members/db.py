"""One synchronous data layer: a writing engine, a reading engine, one transaction() at the edge."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_SECONDS = 30
# libpq: a server that vanished is given up after seconds, not after TCP's quarter of an hour
VANISHED = {"connect_timeout": 5, "tcp_user_timeout": 10_000}


class Database:
    """The books' two engines. SQLite: WAL, one writer at a time by BEGIN IMMEDIATE; PostgreSQL: one engine for both."""

    def __init__(self, url: str, *, synchronous: str = "FULL", pool_size: int = 8) -> None:
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        if self.sqlite:
            if self.url.database and self.url.database != ":memory:":
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = _sqlite_engine(str(self.url), synchronous, "IMMEDIATE")
            self.reader = _sqlite_engine(str(self.url), synchronous, "DEFERRED")
        else:
            self.engine = create_engine(
                self.url, connect_args=VANISHED, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True,
                hide_parameters=True,
            )  # fmt: skip
            self.reader = self.engine

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One writing transaction: commits on leaving, rolls back on any exception."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent reading transaction, never blocking the writer."""
        with self.reader.connect() as connection:
            yield connection

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()
        self.reader.dispose()


def _sqlite_engine(url: str, synchronous: str, begin: str) -> Engine:
    engine = create_engine(
        url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}, hide_parameters=True
    )

    def on_connect(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        raw: Any = connection
        # the driver's own transaction control would break savepoints and BEGIN IMMEDIATE
        raw.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_SECONDS * 1000}",
            "cache_size=-65536",
            "temp_store=MEMORY",
            "wal_autocheckpoint=4000",
        ):
            raw.execute(f"PRAGMA {pragma}")

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {begin}")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine
