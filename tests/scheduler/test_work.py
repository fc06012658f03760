"""The worker as it runs: woken at once, stopped gracefully, one leader."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.cron import CronTrigger

from members import outbox
from members.clock import Clock
from members.db import Database
from scheduler.channels import Content, SendResult
from scheduler.delivery import Deliverer
from scheduler.leader import Leader
from scheduler.rules import ScheduleRules
from scheduler.schedule import Job, Schedule
from scheduler.work import Worker
from tests.scheduler.small_shop import ZONE, FakeWire, SmallShop, push_rules

WAIT = 30.0


class SignallingWire(FakeWire):
    """Tells when something was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.done = threading.Event()

    def send_service(self, openid: str, content: Content, client_msg_id: str) -> SendResult:
        """Send and tell."""
        result = super().send_service(openid, content, client_msg_id)
        self.done.set()
        return result


def leads(leader: Leader) -> bool:
    """Whether it comes to lead: the server frees the lock of a session that ended a moment later."""
    patience = time.monotonic() + WAIT
    while not (found := leader.acquire()) and time.monotonic() < patience:
        time.sleep(0.02)
    return found


def test_only_one_leads_until_it_leaves(database: Database) -> None:
    first, second = Leader(database), Leader(database)
    assert first.acquire() and first.acquire()
    assert not second.acquire()
    first.close()
    assert leads(second)
    assert not first.acquire()
    second.close()


def test_the_lead_outlives_neither_its_session_nor_its_process(database: Database) -> None:
    first, second = Leader(database), Leader(database)
    assert first.acquire()
    if first._session is not None:
        first._session.invalidate()
        assert leads(second)
    second.close()
    first.close()


def test_a_woken_worker_delivers_runs_jobs_and_stops(shop: SmallShop) -> None:
    now = datetime.now(UTC)
    member = shop.member("oA", wrote=now)
    ran = threading.Event()
    every_second = CronTrigger(second="*", timezone=ZONE)

    def often(now: datetime) -> str:
        ran.set()
        return ""

    schedule = Schedule(shop.database, [Job("often", every_second, often)])
    wire = SignallingWire()
    deliverer = Deliverer(shop.database, shop.vault, wire, push_rules(policy={"quiet_hours": None}))
    rhythm = ScheduleRules(tick_seconds=0.2, delivery_seconds=300)
    worker = Worker(shop.database, schedule, deliverer, Clock(), rhythm)
    worker.start()
    message = outbox.Message(
        key="m", kind="marketing", channels=["service"], content={"text": "m"}, reason="r", member=member,
        not_before=now, expires_at=now + timedelta(days=1),
    )  # fmt: skip
    with shop.database.transaction() as connection:
        outbox.put(connection, message, now=now)
    worker.wake()
    assert wire.done.wait(WAIT)
    assert ran.wait(WAIT)
    worker.stop()
    assert [message.state for message in shop.outbox()] == ["sent"]
    assert leads(Leader(shop.database))
    worker.stop()
