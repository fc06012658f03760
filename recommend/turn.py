"""One night at a time: whoever fits or scores holds a lease of the books, renewed while it works.

`since` is the product's own clock, as people read it; the lease itself runs by the real one.
"""

import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.exc import DBAPIError

from members import leases, settings
from members.clock import Clock
from members.db import Database

NAME = LAST = "recommend:night"
RENEW_SECONDS = 20.0
_real = Clock().now


class NightRunning(RuntimeError):
    """Another night is being worked out; `since` says from when on, None when it has just ended."""

    def __init__(self, since: datetime | None) -> None:
        super().__init__("another night is running")
        self.since = since

    def line(self, zone: ZoneInfo) -> str:
        """Return it in words."""
        begun = "" if self.since is None else f",{self.since.astimezone(zone):%Y-%m-%d %H:%M} 开始"
        return f"另一处正在算推荐{begun}"


class NightLost(RuntimeError):
    """This night gave no sign for so long that another has taken its turn."""


def owner() -> str:
    """Return a name that nobody else holds a turn by."""
    return f"{os.getpid()}-{secrets.token_hex(6)}"


def begin(database: Database, mine: str, *, since: datetime) -> None:
    """Take the turn, also when it is ours already; NightRunning when somebody else has it."""
    with database.transaction() as connection:
        now = _real()
        if not leases.take(connection, NAME, mine, since=since, now=now):
            other = leases.held(connection, NAME, now=now)
            raise NightRunning(None if other is None else other.since)


def note(database: Database, line: str, now: datetime) -> None:
    """Keep what the last night came to, as `model show` tells it."""
    with database.transaction() as connection:
        settings.put(connection, LAST, {"at": now.isoformat(), "line": line})


def end(database: Database, mine: str) -> None:
    """Give the turn up; nothing happens when it is no longer ours."""
    with database.transaction() as connection:
        leases.release(connection, NAME, mine)


@contextmanager
def keeping(
    database: Database, mine: str, *, since: datetime, every: float = RENEW_SECONDS
) -> Iterator[Callable[[], None]]:
    """Hold the turn inside, as `begin` takes it; what is yielded raises NightLost once somebody else has it."""
    begin(database, mine, since=since)
    done, lost = threading.Event(), threading.Event()

    def renew() -> None:
        while not done.wait(every):
            try:
                with database.transaction() as connection:
                    if not leases.renew(connection, NAME, mine, now=_real()):
                        lost.set()
            except DBAPIError:  # the books are away or busy: the next sign will do
                continue

    def check() -> None:
        if lost.is_set():
            raise NightLost("another night has taken over")

    renewing = threading.Thread(target=renew, name="night-turn", daemon=True)
    renewing.start()
    try:
        yield check
    finally:
        done.set()
        renewing.join()
        end(database, mine)
