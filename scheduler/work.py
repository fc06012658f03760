"""The worker's two rhythms: a tick that runs due jobs, and a loop that empties the outbox, at once when woken."""

import logging
import threading
from datetime import timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from members.clock import Clock
from members.db import Database
from scheduler.delivery import Deliverer
from scheduler.leader import Leader
from scheduler.rules import ScheduleRules
from scheduler.schedule import Schedule

log = logging.getLogger("memberbot.work")
STOP_SECONDS = 15.0
MISFIRE_GRACE = timedelta(hours=1)


class Worker:
    """Runs jobs (when this process leads) and delivery (always: claims keep workers apart) until stopped."""

    def __init__(
        self, database: Database, schedule: Schedule, deliverer: Deliverer, clock: Clock, rules: ScheduleRules
    ) -> None:
        self._schedule, self._deliverer, self._clock, self._rules = schedule, deliverer, clock, rules
        self._leader = Leader(database)
        self._woken, self._stopping = threading.Event(), threading.Event()
        self._scheduler = BackgroundScheduler(timezone="UTC")
        self._thread = threading.Thread(target=self._deliver_loop, name="delivery", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._scheduler.add_job(
            self.tick, "interval", seconds=self._rules.tick_seconds, coalesce=True, max_instances=1,
            misfire_grace_time=int(MISFIRE_GRACE.total_seconds()),
        )  # fmt: skip
        self._scheduler.start()
        self._thread.start()

    def wake(self) -> None:
        """Have delivery look at the outbox now: something was committed there. Callable from any thread."""
        self._woken.set()

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Stop after the send and the job under way; what is unsent stays in the outbox."""
        self._stopping.set()
        self._woken.set()
        self._deliverer.stop()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
        if self._thread.is_alive():
            self._thread.join(timeout)
        self._leader.close()

    def tick(self) -> None:
        """Run due jobs if this process leads."""
        try:
            if self._stopping.is_set() or not self._leader.acquire():
                return
            if self._schedule.run_due(self._clock.now()):
                self.wake()
        except Exception as error:  # a database that is away for a while must not end the rhythm
            log.error("tick: %s", type(error).__name__)

    def _deliver_loop(self) -> None:
        while not self._stopping.is_set():
            self._woken.wait(self._rules.delivery_seconds)
            self._woken.clear()
            try:
                while not self._stopping.is_set() and self._deliverer.deliver_due(self._clock.now()).claimed:
                    pass
            except Exception as error:  # a database that is away for a while must not end the rhythm
                log.error("delivery: %s", type(error).__name__)
                self._stopping.wait(self._rules.delivery_seconds)
