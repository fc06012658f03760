"""What the driver was told: every statement of a piece of work, taken down below SQLAlchemy and said once more."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
from sqlalchemy import event, make_url

from members.db import Database

Said = tuple[str, Any, bool]
"""Statement, parameters, and whether they are many sets."""


@dataclass
class Tape:
    """The statements of one piece of work after another."""

    pieces: list[list[Said]] = field(default_factory=list)

    def take_down(self, statement: Any, parameters: Any, many: bool) -> None:
        """Add a statement to the present piece."""
        if self.pieces:
            self.pieces[-1].append((statement, list(parameters) if many else parameters, many))


def recorded(database: Database) -> Tape:
    """Have every new connection of the writing engine take down what it is told; call it before the first is made."""
    tape = Tape()

    def on_connect(_dialect: Any, _record: Any, arguments: Any, parameters: dict[str, Any]) -> Any:
        if database.sqlite:
            parameters["factory"] = _sqlite(tape)
            return None
        return psycopg.connect(*arguments, **parameters, cursor_factory=_postgres(tape))

    event.listen(database.engine, "do_connect", on_connect)
    return tape


def _sqlite(tape: Tape) -> type[sqlite3.Connection]:
    class Cursor(sqlite3.Cursor):
        def execute(self, statement: str, parameters: Any = (), /) -> Any:
            tape.take_down(statement, parameters, False)
            return super().execute(statement, parameters)

        def executemany(self, statement: str, parameters: Any, /) -> Any:
            tape.take_down(statement, parameters, True)
            return super().executemany(statement, parameters)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = None) -> Any:
            return super().cursor(Cursor)

        def execute(self, statement: str, parameters: Any = (), /) -> Any:
            return self.cursor().execute(statement, parameters)

    return Connection


def _postgres(tape: Tape) -> Any:
    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
            tape.take_down(query, params, False)
            return super().execute(query, params, **more)

        def executemany(self, query: Any, params_seq: Any, **more: Any) -> None:
            tape.take_down(query, params_seq, True)
            super().executemany(query, params_seq, **more)

    return Cursor


def driver(url: str, synchronous: str) -> tuple[Any, Callable[[Sequence[Said]], None]]:
    """Return a bare connection of the driver and what says one piece again in a transaction of its own."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        connection: Any = sqlite3.connect(str(parsed.database), isolation_level=None)
        for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON", "cache_size=-65536"):
            connection.execute(f"PRAGMA {pragma}")
        commit: Callable[[], Any] = partial(connection.execute, "COMMIT")
    else:
        connection = psycopg.connect(parsed.set(drivername="postgresql").render_as_string(hide_password=False))
        commit = connection.commit
    cursor = connection.cursor()

    def again(piece: Sequence[Said]) -> None:
        for statement, parameters, many in piece:
            if many:
                cursor.executemany(statement, parameters)
            elif parameters is None:
                cursor.execute(statement)
            else:
                cursor.execute(statement, parameters)
            if cursor.description is not None:
                cursor.fetchall()
        commit()

    return connection, again
