"""The recommender's night, in a process of its own so that the counter does not wait; one at a time."""

import logging
import multiprocessing
import os
import signal
import threading
import time as pause
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, time
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.exc import DBAPIError

from members import scores
from members.db import Database
from recommend import turn
from recommend.rules import RecommendRules

NICE = 10
log = logging.getLogger("memberbot.models")


@dataclass(slots=True)
class Night:
    """Starts the night's run of an installation; what came of it stands in the books (`model show`)."""

    database: Database
    rules: RecommendRules
    folder: Path
    zone: ZoneInfo
    day_start: time = time()
    _running: BaseProcess | None = field(default=None, init=False)
    _stopped: set[int | None] = field(default_factory=set, init=False)
    _owner: str = field(default_factory=turn.owner, init=False)

    def run(self, now: datetime) -> str:
        """Begin scoring everybody, and fitting when it is time to; returns at once."""
        if self._running is not None and self._running.is_alive():
            return "上一次还没有算完"
        with self.database.reading() as books:
            if not scores.any_receipt(books):
                return "还没有会员的购买记录"
        try:
            turn.begin(self.database, self._owner, since=now)
        except turn.NightRunning as other:
            return f"{other.line(self.zone)},这次不算"
        self._start(now, again=True)
        return "已开始,在另一个进程里算"

    def _start(self, now: datetime, *, again: bool) -> None:
        url = self.database.url.render_as_string(hide_password=False)
        given = url, self.rules, self.folder, str(self.zone), self.day_start, now, self._owner
        process = multiprocessing.get_context("spawn").Process(target=_night, args=given, daemon=True)
        process.start()
        self._running = process
        threading.Thread(target=self._watch, args=(process, now, again), daemon=True).start()

    def _watch(self, process: BaseProcess, now: datetime, again: bool) -> None:
        """Tell of a process that was killed (memory, by hand), and try once more; of what it raised it tells itself."""
        connection.wait([process.sentinel])
        while (code := process.exitcode) is None:  # another thread is just asking for it
            pause.sleep(0.01)
        if code == 0 or process.pid in self._stopped:
            return
        log.error("night: its process ended with %s", code)
        with suppress(DBAPIError):
            turn.note(self.database, f"失败:进程被中止({code}){',再算一次' if again else ''}", now)
            if again:
                self._start(now, again=False)
            else:
                turn.end(self.database, self._owner)

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the run has ended."""
        if self._running is not None:
            self._running.join(seconds)

    def stop(self) -> None:
        """End a run under way: what it has written stands, the rest comes with the next one."""
        if self._running is not None and self._running.is_alive():
            self._stopped.add(self._running.pid)
            self._running.terminate()
            self._running.join(5)
            with suppress(DBAPIError):  # without the books the turn runs out by itself
                turn.end(self.database, self._owner)


def _night(
    url: str, rules: RecommendRules, folder: Path, zone: str, day_start: time, now: datetime, owner: str
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it ends us
    with suppress(OSError):
        os.nice(NICE)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from recommend.store import Store  # brings scikit-learn, which the parent does without

    database = Database(url, synchronous="NORMAL", pool_size=1)
    store = Store(database, rules, folder, ZoneInfo(zone), day_start)
    try:
        store.run(now, owner=owner)
    except Exception as error:  # what it says may be personal, where it happened is not
        trace = "".join(traceback.format_tb(error.__traceback__))
        log.error("night: %s\n%s", type(error).__name__, trace)
        store.note(f"失败:{type(error).__name__}", now)
    finally:
        database.dispose()
