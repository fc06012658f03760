"""Due times by the product's clock: once each, coalesced after a pause, taken up after a crash."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import select, update

from handlers.copy import Copy
from members.clock import Clock
from members.db import Database
from members.tables import JobRun, table
from scheduler.delivery import Deliverer
from scheduler.jobs import build_jobs
from scheduler.schedule import Job, Ran, Schedule
from tests.scheduler.small_shop import APP, MONDAY, RICE, ZONE, FakeWire, SmallShop, ago
from tests.scheduler.test_plan import drinker

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + 400 * DAY


def daily(run: Callable[[datetime], str], name: str = "daily", hour: int = 10) -> Job:
    """A job at ten in Shanghai."""
    return Job(name, CronTrigger(hour=hour, minute=0, second=0, timezone=ZONE), run)


def jobs_of(shop: SmallShop, wake: Callable[[], None] = lambda: None) -> list[Job]:
    """Every job of the small shop."""
    say = Copy({}, shop="邻家生鲜", zone=ZONE).text
    return build_jobs(shop.database, shop.vault, shop.rules, say=say, app=APP, wake=wake)


class Diary:
    """A job that keeps when it ran."""

    def __init__(self) -> None:
        self.runs: list[datetime] = []

    def __call__(self, now: datetime) -> str:
        """Run."""
        self.runs.append(now)
        return f"run {len(self.runs)}"


def test_a_job_first_seen_waits_for_its_next_time(database: Database) -> None:
    diary = Diary()
    schedule = Schedule(database, [daily(diary)])
    assert schedule.run_due(MONDAY - HOUR) == []
    assert schedule.run_due(MONDAY - timedelta(seconds=1)) == []
    assert schedule.run_due(MONDAY) == [Ran("daily", MONDAY, "run 1")]
    assert schedule.run_due(MONDAY) == schedule.run_due(MONDAY + HOUR) == []
    assert schedule.run_due(MONDAY + DAY) == [Ran("daily", MONDAY + DAY, "run 2")]


def test_what_was_missed_runs_once(database: Database) -> None:
    diary = Diary()
    Schedule(database, [daily(diary)]).run_due(MONDAY - HOUR)
    late = MONDAY + 6 * DAY + HOUR
    assert Schedule(database, [daily(diary)]).run_due(late) == [Ran("daily", MONDAY + 6 * DAY, "run 1")]
    assert diary.runs == [late]


def test_racing_processes_run_a_due_time_once(database: Database) -> None:
    diary = Diary()
    Schedule(database, [daily(diary)]).run_due(MONDAY - HOUR)
    schedules = [Schedule(database, [daily(diary)]) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        done = [ran for found in pool.map(lambda one: one.run_due(MONDAY), schedules) for ran in found]
    assert len(done) == len(diary.runs) == 1


def test_a_failing_job_is_written_down_and_the_others_run(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    phone = "".join(map(str, (138, 0, 0, 138, 0, 0, 0)))

    def broken(now: datetime) -> str:
        raise RuntimeError(phone)

    diary = Diary()
    schedule = Schedule(database, [daily(broken, "broken"), daily(diary, "fine")])
    schedule.run_due(MONDAY - HOUR)
    assert schedule.run_due(MONDAY) == [Ran("broken", MONDAY, "失败:RuntimeError"), Ran("fine", MONDAY, "run 1")]
    assert phone not in caplog.text and "RuntimeError" in caplog.text
    assert schedule.run_due(MONDAY + HOUR) == []


def test_a_run_that_a_dead_process_left_is_run_again(database: Database) -> None:
    diary = Diary()
    schedule = Schedule(database, [daily(diary)])
    schedule.run_due(MONDAY - HOUR)
    schedule.run_due(MONDAY)
    runs = table(JobRun)
    with database.transaction() as connection:
        connection.execute(update(runs).where(runs.c.due_at == MONDAY).values(finished_at=None))
    assert schedule.run_due(MONDAY + HOUR) == [Ran("daily", MONDAY, "run 2")]
    assert schedule.run_due(MONDAY + HOUR) == []


def test_two_jobs_of_one_name_are_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="one name"):
        Schedule(database, [daily(Diary()), daily(Diary())])


def test_seven_days_forward_are_seven_daily_runs_with_the_clock_at_each(database: Database) -> None:
    clock = Clock()
    clock.move_to(START)
    seen: list[tuple[str, datetime, datetime]] = []

    def look(name: str, now: datetime) -> str:
        seen.append((name, now, clock.now()))
        return ""

    jobs = [daily(partial(look, "ten"), "ten"), daily(partial(look, "six"), "six", hour=6)]
    steps: list[datetime] = []
    schedule = Schedule(database, jobs)
    schedule.run_due(clock.now())
    schedule.advance(START + 7 * DAY, clock, steps.append)
    assert [name for name, _, _ in seen].count("ten") == [name for name, _, _ in seen].count("six") == 7
    assert all(timedelta(0) <= stood - due < timedelta(minutes=1) for _, due, stood in seen)
    assert [due for _, due, _ in seen] == sorted(due for _, due, _ in seen)
    assert len(steps) == 15 and steps[-1] >= START + 7 * DAY
    with pytest.raises(ValueError, match="forward"):
        clock.move_to(START)


def test_the_jobs_of_the_small_shop(shop: SmallShop) -> None:
    jobs = {job.name: job for job in jobs_of(shop)}
    assert set(jobs) >= {"expire_points", "expire_coupons", "tiers", "birthdays", "points_running_out", "prune"}
    assert {name for name in jobs if name.startswith("campaign:")} == {"campaign:每周优惠", "campaign:复购提醒"}
    sunday = MONDAY - DAY
    assert jobs["campaign:每周优惠"].first_after(sunday) == MONDAY
    assert jobs["campaign:每周优惠"].first_after(MONDAY) == MONDAY + 7 * DAY
    assert jobs["campaign:复购提醒"].first_after(sunday) == MONDAY
    assert jobs["expire_coupons"].first_after(MONDAY) == datetime(2026, 11, 17, 0, 10, tzinfo=ZONE)


def test_two_weeks_of_jobs_send_offer_and_reminder_and_expire_what_nobody_fetched(shop: SmallShop) -> None:
    member = drinker(shop, "oA", wrote=MONDAY - HOUR)
    shop.buys(member, RICE, *ago(110, 82, 54, 26))
    woken: list[int] = []
    schedule = Schedule(shop.database, jobs_of(shop, wake=lambda: woken.append(1)))
    wire = FakeWire()
    deliverer = Deliverer(shop.database, shop.vault, wire, shop.rules)
    schedule.run_due(MONDAY - HOUR)
    for hour in range(0, 24 * 15, 2):
        schedule.run_due(MONDAY + hour * HOUR)
        deliverer.deliver_all(MONDAY + hour * HOUR)
    rows = [(message.campaign, message.state) for message in shop.outbox() if message.campaign]
    assert rows == [("每周优惠", "sent"), ("复购提醒", "sent"), ("每周优惠", "expired")]
    assert [what["text"][:2] for _, _, what in wire.sent] == ["普卡", "大米"]
    assert [coupon.state for coupon in shop.coupons()] == ["expired", "expired", "issued"]
    assert len(woken) >= 2
    with shop.database.reading() as connection:
        notes: list[Any] = list(connection.execute(select(table(JobRun).c.note)).scalars())
    assert not [note for note in notes if note.startswith("失败")]
