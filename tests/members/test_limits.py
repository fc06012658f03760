"""Counters, cool-downs and blocks: what is refused, when it is free again, and under racing callers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from members import limits
from members.db import Database
from members.errors import MemberError

NOW = datetime(2026, 3, 2, 2, 0, 30, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def database(books_url: str) -> Iterator[Database]:
    """Empty books."""
    found = Database(books_url)
    yield found
    found.dispose()


def taken(database: Database, key: str, period: limits.Period, most: int) -> MemberError | None:
    """Take one; return the refusal, if any."""
    try:
        with database.transaction() as connection:
            limits.take(connection, key, period, most, refusal="full")
    except MemberError as refusal:
        return refusal
    return None


def test_so_many_uses_in_a_period_and_no_more(database: Database) -> None:
    period = limits.every(MINUTE, NOW)
    assert [taken(database, "k", period, 2) is None for _ in range(4)] == [True, True, False, False]
    assert taken(database, "other", period, 2) is None
    refusal = taken(database, "k", period, 2)
    assert refusal is not None
    assert (refusal.code, refusal.facts) == ("full", {"most": 2, "at": datetime(2026, 3, 2, 2, 1, tzinfo=UTC)})
    assert taken(database, "k", limits.every(MINUTE, NOW + timedelta(seconds=29)), 2) is not None
    assert taken(database, "k", limits.every(MINUTE, NOW + timedelta(seconds=30)), 2) is None


def test_none_allowed_is_always_refused(database: Database) -> None:
    assert taken(database, "k", limits.every(MINUTE, NOW), 0) is not None


def test_racing_callers_get_exactly_what_is_allowed(database: Database) -> None:
    period = limits.every(MINUTE, NOW)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: taken(database, "k", period, 7) is None, range(24)))
    assert got.count(True) == 7


def test_a_business_day_begins_with_the_shop(database: Database) -> None:
    late = datetime(2026, 3, 2, 1, 30, tzinfo=SHANGHAI)
    night = limits.business_day(late, SHANGHAI, time(4))
    assert night == limits.Period(datetime(2026, 2, 28, 20, tzinfo=UTC), datetime(2026, 3, 1, 20, tzinfo=UTC))
    assert limits.business_day(late, SHANGHAI).since == datetime(2026, 3, 1, 16, tzinfo=UTC)


def cooled(database: Database, now: datetime, key: str = "k") -> int:
    """Try the key; return the seconds still to wait, 0 when it was let through."""
    try:
        with database.transaction() as connection:
            limits.cool_down(connection, key, 60, now=now, refusal="wait")
    except MemberError as refusal:
        return int(str(refusal.facts["wait"]))
    return 0


def test_a_cool_down_tells_how_long_still(database: Database) -> None:
    assert cooled(database, NOW) == 0
    assert cooled(database, NOW + timedelta(seconds=1)) == 59
    assert cooled(database, NOW + timedelta(seconds=59)) == 1
    assert cooled(database, NOW + timedelta(seconds=1), "other") == 0
    assert cooled(database, NOW + timedelta(seconds=60)) == 0
    assert cooled(database, NOW + timedelta(seconds=61)) == 59


def test_a_cool_down_ends_early_when_it_may(database: Database) -> None:
    assert cooled(database, NOW) == 0
    with database.transaction() as connection:
        limits.warm_up(connection, "k")
    assert cooled(database, NOW) == 0


def test_a_block_lasts_and_is_never_shortened(database: Database) -> None:
    with database.transaction() as connection:
        limits.block(connection, "a", NOW + timedelta(minutes=30))
        limits.block(connection, "a", NOW + timedelta(minutes=5))
        assert limits.blocked(connection, "a", "b", now=NOW) == 1800
        assert limits.blocked(connection, "b", now=NOW) == 0
        assert limits.blocked(connection, "a", now=NOW + timedelta(minutes=30)) == 0


def test_old_counters_are_forgotten_and_living_ones_kept(database: Database) -> None:
    assert taken(database, "k", limits.every(MINUTE, NOW), 1) is None
    assert cooled(database, NOW) == 0
    with database.transaction() as connection:
        limits.block(connection, "a", NOW + timedelta(days=3))
        assert limits.forget_before(connection, NOW - timedelta(days=1)) == 0
        assert limits.forget_before(connection, NOW + timedelta(days=2)) == 2
        assert limits.blocked(connection, "a", now=NOW) > 0
        assert limits.forget_before(connection, NOW + timedelta(days=4)) == 1
