"""One worker of an installation runs the jobs: a lock that dies with its holder decides who."""

import os
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from members.db import Database

ADVISORY_KEY = 0x6D656D626572
"""`member` in ASCII: the key of the session lock on PostgreSQL."""

_TRY = text("SELECT pg_try_advisory_lock(:key)")


class Leader:
    """Becomes the leader if nobody is, until closed: a file lock beside SQLite, an advisory lock on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._file: int | None = None
        self._session: Connection | None = None

    def acquire(self) -> bool:
        """Tell whether this process leads, trying to when it does not yet."""
        if not self._database.sqlite:
            return self._lead_postgres()
        name = self._database.url.database
        return self._file is not None or not name or name == ":memory:" or self._lock_file(Path(f"{name}.leader"))

    def close(self) -> None:
        """Give the lead away."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._session is not None:
            # closing would hand a session that still holds the lock back to the pool
            self._session.invalidate()
            self._session.close()
            self._session = None

    def _lock_file(self, path: Path) -> bool:
        import fcntl

        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._file = handle
        return True

    def _lead_postgres(self) -> bool:
        if self._session is not None:
            return self._still_there(self._session)
        session = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if session.execute(_TRY, {"key": ADVISORY_KEY}).scalar_one():
            self._session = session
        else:
            session.close()
        return self._session is not None

    def _still_there(self, session: Connection) -> bool:
        try:
            session.execute(text("SELECT 1"))
        except DBAPIError:
            self.close()
            return False
        return True
