"""When jobs run: due by the product's own clock, once per due time, which the books decide.

A job that was missed while nothing ran is run once, for its latest due time. One that is still unfinished after ten
minutes is taken to be a dead process's and run again: jobs must be able to bear that.
"""

import logging
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members.clock import Clock
from members.db import Database
from members.tables import JobRun, table

log = logging.getLogger("memberbot.schedule")
LONGEST_LOOK_BACK = timedelta(days=40)
TAKEN_FOR_DEAD = timedelta(minutes=10)
FIRST_SEEN = "第一次见到"
runs = table(JobRun)
_NEWEST = select(runs).where(runs.c.job == bindparam("name")).order_by(runs.c.due_at.desc()).limit(1)
_BEGIN = upsert(runs).on_conflict_do_nothing().returning(runs.c.job)
_AGAIN = (
    update(runs)
    .where(
        runs.c.job == bindparam("name"), runs.c.due_at == bindparam("due"), runs.c.finished_at.is_(None),
        runs.c.started_at == bindparam("seen"),
    )
    .values(started_at=bindparam("moment"))
)  # fmt: skip
_END = (
    update(runs)
    .where(runs.c.job == bindparam("name"), runs.c.due_at == bindparam("due"))
    .values(finished_at=bindparam("moment"), note=bindparam("result"))
)


@dataclass(frozen=True, slots=True)
class Job:
    """Something done at set times; `run` takes now and returns one line for the log."""

    name: str
    trigger: CronTrigger
    run: Callable[[datetime], str]

    def first_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly after `moment`, as UTC."""
        found = self.trigger.get_next_fire_time(None, moment + timedelta(microseconds=1))
        return None if found is None else found.astimezone(UTC)

    def latest_due(self, since: datetime, now: datetime) -> datetime | None:
        """Return the last due time after `since` up to `now`; earlier ones that were missed are passed over."""
        found, moment = None, max(since, now - LONGEST_LOOK_BACK)
        while (due := self.first_after(moment)) is not None and due <= now:
            found = moment = due
        return found


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of one job and what it said."""

    job: str
    due_at: datetime
    note: str


class Schedule:
    """The jobs and their runs; thread-safe, one run at a time within a process."""

    def __init__(self, database: Database, jobs: Sequence[Job]) -> None:
        if len({job.name for job in jobs}) != len(jobs):
            raise ValueError("two jobs of one name")
        self._database, self.jobs = database, tuple(jobs)
        self._lock = threading.Lock()

    def run_due(self, now: datetime) -> list[Ran]:
        """Run what is due at `now`, each job at most once; a job first seen now becomes due from now on."""
        with self._lock:
            return [done for job in self.jobs if (done := self._run(job, now)) is not None]

    def next_due(self, after: datetime) -> datetime | None:
        """Return the first due time of any job strictly after a moment."""
        return min((due for job in self.jobs if (due := job.first_after(after)) is not None), default=None)

    def advance(self, to: datetime, clock: Clock, each: Callable[[datetime], object] = lambda now: None) -> list[Ran]:
        """Move the clock forward from due time to due time, running what is due there and `each` after it, up to `to`.

        What the clock has passed already cannot be asked for.
        """
        done = self.run_due(clock.now())
        while (due := self.next_due(clock.now())) is not None and due <= to:
            clock.reach(due)
            done += self.run_due(due)
            each(clock.now())
        clock.reach(to)
        each(clock.now())
        return done

    def _run(self, job: Job, now: datetime) -> Ran | None:
        with self._database.transaction() as connection:
            due = self._claim(connection, job, now)
        if due is None:
            return None
        try:
            note = job.run(now)
        except Exception as error:  # the other jobs must run; the message may be personal, the trace is not
            trace = "".join(traceback.format_tb(error.__traceback__))
            log.error("job %s: %s\n%s", job.name, type(error).__name__, trace)
            note = f"失败:{type(error).__name__}"
        with self._database.transaction() as connection:
            connection.execute(_END, {"name": job.name, "due": due, "moment": now, "result": note})
        log.info("job %s due %s: %s", job.name, due.isoformat(), note)
        return Ran(job.name, due, note)

    def _claim(self, connection: Connection, job: Job, now: datetime) -> datetime | None:
        newest = connection.execute(_NEWEST, {"name": job.name}).one_or_none()
        if newest is None:
            connection.execute(_BEGIN, _row(job, now, now) | {"finished_at": now, "note": FIRST_SEEN})
            return None
        if newest.finished_at is None:
            if now - newest.started_at < TAKEN_FOR_DEAD:
                return None
            bound = {"name": job.name, "due": newest.due_at, "seen": newest.started_at, "moment": now}
            return newest.due_at if connection.execute(_AGAIN, bound).rowcount == 1 else None
        due = job.latest_due(newest.due_at, now)
        if due is None or connection.execute(_BEGIN, _row(job, due, now)).scalar_one_or_none() is None:
            return None
        return due


def _row(job: Job, due: datetime, now: datetime) -> dict[str, Any]:
    return {"job": job.name, "due_at": due, "started_at": now, "finished_at": None, "note": ""}
