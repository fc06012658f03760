"""One writer per process: waiting messages share a transaction (group commit), one message per person at a time."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from bot.dispatch import Dispatcher, Job
from bot.logs import safe_trace
from bot.metrics import BATCH, LATE, WAITING
from bot.spool import Spool
from handlers.inbound import Inbound

log = structlog.get_logger("memberbot.writer")
BATCH_LIMIT = 64
RETRY_SECONDS = 0.2
STOP_SECONDS = 5.0


class Writer:
    """A thread that answers jobs in batches; `submit` is called on the event loop."""

    def __init__(self, dispatcher: Dispatcher, spool: Spool | None = None) -> None:
        self._dispatcher, self._spool = dispatcher, spool
        self._waiting: deque[Job] = deque()
        self._by_key: dict[str, Job] = {}
        self._lock = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start answering."""
        self.loop = loop
        self._thread.start()

    def stop(self) -> None:
        """Answer what waits, then stop; blocks until then, but no longer for books that hang (the spool keeps it)."""
        with self._lock:
            self._stopping = True
            self._lock.notify()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    def submit(self, inbound: Inbound, *, late: bool = False) -> "tuple[Job, asyncio.Future[str]]":
        """Queue a callback; a repetition of one that still waits joins it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()
        with self._lock:
            job = self._by_key.get(inbound.key)
            if job is None:
                job = Job(inbound, late=late)
                self._by_key[inbound.key] = job
                self._waiting.append(job)
                self._lock.notify()
            job.futures.append(future)
        WAITING.set(len(self._waiting))
        return job, future

    def _run(self) -> None:
        while batch := self._next():
            self._process(batch)
            for job in self._tell(batch):
                self._follow_up(job)

    def give_up(self, job: Job) -> str | None:
        """Stop waiting for a job: return its answer when it has just been committed, else None and it becomes late."""
        with self._lock:
            if job.done:
                return "" if job.late else job.xml
            job.late = True
            return None

    def _next(self) -> list[Job]:
        with self._lock:
            while not self._waiting and not self._stopping:
                self._lock.wait()
            batch: list[Job] = []
            people: set[str] = set()
            postponed: list[Job] = []
            while self._waiting and len(batch) < BATCH_LIMIT:
                job = self._waiting.popleft()
                (postponed if job.inbound.openid in people else batch).append(job)
                people.add(job.inbound.openid)
            self._waiting.extendleft(reversed(postponed))
            return batch

    def _process(self, batch: Sequence[Job]) -> None:
        BATCH.observe(len(batch))
        while True:
            try:
                self._dispatcher.process(batch)
                return
            except (OperationalError, InterfaceError, NoConnection) as error:
                # the callers' deadline protects them; what they were told 'success' for is in the spool
                kind = type(getattr(error, "orig", error)).__name__
                log.warning("books out of reach", kind=kind, waiting=len(batch))
                time.sleep(RETRY_SECONDS)
                if self._stopping:
                    return
            except Exception:
                log.error("batch failed", trace=safe_trace())
                return

    def _tell(self, batch: Sequence[Job]) -> list[Job]:
        """Resolve every caller; return the jobs whose first caller had left, which are answered another way."""
        with self._lock:
            for job in batch:
                job.done = job.xml is not None
                self._by_key.pop(job.inbound.key, None)
            late = [job for job in batch if job.late]
            told = [(future, "" if job.late else job.xml) for job in batch for future in job.futures]
        if told and self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(_resolve, told)
        return [job for job in late if job.done]

    def _follow_up(self, job: Job) -> None:
        try:
            if self._dispatcher.book_late(job):
                LATE.inc()
            job.settled = True
            if self._spool is not None:
                self._spool.remove(job.inbound.key)
        except Exception:  # the thread outlives it, and the spool keeps what is not booked
            log.error("late reply not booked", key=job.inbound.key, trace=safe_trace())


def _resolve(told: "Sequence[tuple[asyncio.Future[str], str | None]]") -> None:
    for future, xml in told:
        if future.done():
            continue
        if xml is None:
            future.set_exception(ConnectionError("not answered"))
        else:
            future.set_result(xml)
