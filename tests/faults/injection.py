"""Failures of the database at a chosen statement, on both drivers, below everything that SQLAlchemy or the books do.

Every statement passes a cursor of the driver, those of `members.prepared` too; the commit passes the connection. A
`Saboteur` counts them in the transaction it was armed for and fails the n-th: refused (an error, as a full disk makes
one), lost (the connection or its transaction is gone), or the commit's answer lost after it was done.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from sqlalchemy import Connection, event

from members.db import Database

Kind = Literal["refused", "lost", "answer_lost"]
REFUSE = "DO $$BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = 'disk_full'; END$$"


@dataclass
class Saboteur:
    """Counts the statements of one database while armed; `hit` tells whether the failure happened."""

    countdown: int = 0
    kind: Kind = "refused"
    armed: bool = False
    hit: bool = False
    seen: int = 0

    def due(self) -> bool:
        """Count one statement; True when it is the one that fails."""
        if not self.armed:
            return False
        self.seen += 1
        if self.seen != self.countdown:
            return False
        self.armed, self.hit = False, True
        return True

    def arm(self, nth: int, kind: Kind) -> None:
        """Let the n-th statement from now on fail; 0 only counts."""
        self.countdown, self.kind, self.armed, self.hit, self.seen = nth, kind, True, False, 0


def sabotaged(database: Database) -> Saboteur:
    """Make every new connection of a database's writing engine countable; call it before the first is made."""
    saboteur = Saboteur()
    factory = _sqlite_connection(saboteur) if database.sqlite else _postgres_connection(saboteur)

    def on_connect(_dialect: Any, _record: Any, arguments: Any, parameters: dict[str, Any]) -> Any:
        if database.sqlite:
            parameters["factory"] = factory
            return None
        return factory.connect(*arguments, **parameters)

    event.listen(database.engine, "do_connect", on_connect)
    return saboteur


@contextmanager
def failing(database: Database, saboteur: Saboteur, nth: int, kind: Kind = "refused") -> Iterator[Connection]:
    """A writing transaction whose n-th statement fails; the commit is its last."""
    with database.transaction() as connection:
        saboteur.arm(nth, kind)
        try:
            yield connection
        except BaseException:
            saboteur.armed = False  # the rollback is not a statement of ours
            raise
    saboteur.armed = False


def _sqlite_connection(saboteur: Saboteur) -> Any:
    class Cursor(sqlite3.Cursor):
        def execute(self, *statement: Any) -> Any:
            self._perhaps()
            return super().execute(*statement)

        def executemany(self, *statement: Any) -> Any:
            self._perhaps()
            return super().executemany(*statement)

        def _perhaps(self) -> None:
            if saboteur.due():
                if saboteur.kind != "refused" and self.connection.in_transaction:
                    super().execute("ROLLBACK")  # as SQLite itself does when the disk fails
                raise sqlite3.OperationalError("disk I/O error (injected)")

    class Sabotaged(sqlite3.Connection):
        def cursor(self, *_factory: Any) -> Any:
            return super().cursor(Cursor)

        def execute(self, *statement: Any) -> Any:
            return self.cursor().execute(*statement)

        def executemany(self, *statement: Any) -> Any:
            return self.cursor().executemany(*statement)

        def commit(self) -> None:
            due = saboteur.due()
            if due and saboteur.kind != "answer_lost":
                raise sqlite3.OperationalError("disk I/O error (injected at commit)")
            super().commit()
            if due:
                raise sqlite3.OperationalError("disk I/O error (injected after commit)")

    return Sabotaged


def _postgres_connection(saboteur: Saboteur) -> Any:
    class Cursor(psycopg.Cursor[Any]):
        def execute(self, *statement: Any, **more: Any) -> Any:
            self._perhaps()
            return super().execute(*statement, **more)

        def executemany(self, *statement: Any, **more: Any) -> Any:
            self._perhaps()
            return super().executemany(*statement, **more)

        def _perhaps(self) -> None:
            if not saboteur.due():
                return
            if saboteur.kind == "refused":
                super().execute(REFUSE)
            self.connection.close()  # the statement then fails by itself

    class Sabotaged(psycopg.Connection[Any]):
        def __init__(self, *more: Any, **named: Any) -> None:
            super().__init__(*more, **named)
            self.cursor_factory = Cursor

        def commit(self) -> None:
            due = saboteur.due()
            if due and saboteur.kind != "answer_lost":
                self.close()
            super().commit()
            if due:
                self.close()
                raise psycopg.OperationalError("the connection is lost (injected after commit)")

    return Sabotaged
