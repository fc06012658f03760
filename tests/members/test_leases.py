"""What one process at a time may do: racing hands, a crash, a stranger's hand."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from members import leases
from members.db import Database

NOW = datetime(2026, 11, 16, 3, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def take(database: Database, owner: str, now: datetime = NOW) -> bool:
    with database.transaction() as connection:
        return leases.take(connection, "night", owner, since=now, now=now)


def test_one_holds_it_until_it_is_given_up(database: Database) -> None:
    assert take(database, "anna") and take(database, "anna") and not take(database, "ben")
    with database.transaction() as connection:
        leases.release(connection, "night", "ben")
        found = leases.held(connection, "night", now=NOW)
        assert found == leases.Held("night", "anna", NOW, NOW + leases.HOLDS)
        assert leases.take(connection, "another", "ben", since=NOW, now=NOW)
        leases.release(connection, "night", "anna")
        assert leases.held(connection, "night", now=NOW) is None
    assert take(database, "ben")


def test_whoever_died_is_followed_and_whoever_gives_signs_is_not(database: Database) -> None:
    assert take(database, "anna")
    later = NOW + leases.HOLDS
    assert not take(database, "ben", later)
    with database.transaction() as connection:
        assert leases.renew(connection, "night", "anna", now=later)
    assert not take(database, "ben", later + SECOND)
    assert take(database, "ben", later + leases.HOLDS + SECOND)
    with database.transaction() as connection:
        assert not leases.renew(connection, "night", "anna", now=later)
        leases.release(connection, "night", "anna")
        found = leases.held(connection, "night", now=later)
    assert found is not None and found.owner == "ben" and found.since == later + leases.HOLDS + SECOND


def test_of_racing_hands_one_wins(database: Database) -> None:
    won, start = list[str](), threading.Barrier(8)

    def reach(owner: str) -> None:
        start.wait()
        if take(database, owner):
            won.append(owner)

    hands = [threading.Thread(target=reach, args=(f"hand{number}",)) for number in range(8)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    with database.reading() as connection:
        found = leases.held(connection, "night", now=NOW)
    assert found is not None and won == [found.owner]
