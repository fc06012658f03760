"""One night at a time, whoever starts the second."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from members.db import Database
from members.tables import Lease, table
from recommend import turn
from recommend.store import Store
from scheduler.models import Night
from tests.recommend.night_shop import MONDAY, ZONE, open_night_shop
from tests.scheduler.small_shop import SmallShop, push_rules

LEASE = table(Lease)
BUSY = "另一处正在算推荐,2026-11-16 10:00 开始"


def until(database: Database) -> object:
    with database.reading() as connection:
        return connection.scalar(select(LEASE.c.until))


def taken_over(database: Database) -> None:
    """Somebody else holds the turn from now on."""
    with database.transaction() as connection:
        connection.execute(update(LEASE).values(owner="somebody else"))


def test_the_second_is_told_since_when_and_the_first_gives_signs(database: Database) -> None:
    with turn.keeping(database, "anna", since=MONDAY, every=0.01) as check:
        with pytest.raises(turn.NightRunning) as refused:
            turn.begin(database, "ben", since=MONDAY + timedelta(hours=1))
        assert refused.value.line(ZONE) == BUSY
        before, patience = until(database), time.monotonic() + 20
        while until(database) == before and time.monotonic() < patience:
            time.sleep(0.02)
        assert until(database) != before
        check()
    turn.begin(database, "ben", since=MONDAY)


def test_who_was_overtaken_stops_and_leaves_the_other_its_turn(database: Database) -> None:
    with pytest.raises(turn.NightLost), turn.keeping(database, "anna", since=MONDAY, every=0.01) as check:
        taken_over(database)
        patience = time.monotonic() + 20
        while time.monotonic() < patience:
            check()
            time.sleep(0.02)
    with pytest.raises(turn.NightRunning):
        turn.begin(database, "anna", since=MONDAY)


def test_a_night_of_the_schedule_skips_and_one_by_hand_is_refused(database: Database, tmp_path: Path) -> None:
    shop = SmallShop(database, push_rules())
    store = open_night_shop(shop, tmp_path).store
    night, other = (Night(database, shop.rules.recommend, tmp_path, ZONE) for _ in range(2))
    turn.begin(database, "by hand", since=MONDAY)
    assert night.run(MONDAY + timedelta(hours=15)) == f"{BUSY},这次不算"
    night.wait(0)
    with pytest.raises(turn.NightRunning):
        store.run(MONDAY)
    turn.end(database, "by hand")

    assert night.run(MONDAY) == "已开始,在另一个进程里算"
    assert other.run(MONDAY + timedelta(hours=1)) == f"{BUSY},这次不算"
    night.stop()
    assert other.run(MONDAY + timedelta(hours=1)) == "已开始,在另一个进程里算", "who was stopped holds nothing"
    other.wait(120)
    assert until(database) is None, "given up at the end"
    assert store.run(MONDAY + timedelta(hours=2), fit=False).members > 0


def test_a_night_that_failed_gives_its_turn_up(database: Database, tmp_path: Path) -> None:
    shop = SmallShop(database, push_rules())

    def fails(*told: object) -> None:
        raise OSError("no room")

    store = open_night_shop(shop, tmp_path).store
    with pytest.raises(OSError, match="no room"):
        Store(database, store.rules, store.folder, ZONE).run(MONDAY, told=fails)
    assert until(database) is None
