"""The demo import may be repeated, widened, interrupted, killed and run twice at once: the books come out the same."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from members.db import Database
from members.importing.progress import Silent
from members.importing.report import CleaningReport
from members.tables import RateCount, table
from tests.members.demo_shop import KEY, MANY, NOW, chosen, everything, fresh, run

SCRIPT = """
import sys
from contextlib import suppress
from datetime import UTC, datetime
sys.path.insert(0, "")
from members.db import Database
from members.importing.completejourney import ImportOptions, import_completejourney
from members.vault import Vault
class Loud:
    def start(self, total, label): print("start", flush=True)
    def advance(self, amount=1): print("advance", flush=True)
options = ImportOptions(households={many})
database, now = Database({url!r}, synchronous="NORMAL"), datetime.fromisoformat({now!r})
import_completejourney(database, Vault({key!r}), options, now=now, progress=Loud())
"""


class Interrupted(Exception):
    """What the progress raises to stop an import."""


class Fuse:
    """Progress that blows when a number of reports has come."""

    def __init__(self, reports: int) -> None:
        self.left = reports

    def start(self, total: int, label: str) -> None:
        """Start anything."""

    def advance(self, amount: int = 1) -> None:
        """Count down, and blow."""
        self.left -= 1
        if self.left < 0:
            raise Interrupted


def test_a_second_run_changes_nothing_and_says_so(shop: Any, whole: Any) -> None:
    database, first = shop
    again = run(database, MANY, now=NOW + timedelta(days=9))
    assert again.unchanged
    assert "没有改动" in again.summary()
    assert (again.read, again.findings, again.facts) == (first.read, first.findings, first.facts)
    assert everything(database) == whole


def test_interrupted_resumed_and_widened_books_are_the_same(whole: Any, tmp_path: Path) -> None:
    database = fresh(f"sqlite:///{tmp_path / 'resumed.db'}")
    seen = []
    for day, (reports, households) in enumerate(((3, MANY), (4, MANY), (100, 30), (2, MANY))):
        with suppress(Interrupted):
            run(database, households, progress=Fuse(reports), now=NOW + timedelta(days=day))
        seen.append(len(chosen(database)))
    assert 0 == seen[0] < seen[1] < seen[2] == 30 < seen[3] < MANY
    run(database, MANY, now=NOW + timedelta(days=9))
    assert everything(database) == whole
    database.dispose()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("reports", [7, 9])
def test_a_killed_import_can_be_run_again(whole: Any, tmp_path: Path, reports: int) -> None:
    url = f"sqlite:///{tmp_path / 'killed.db'}"
    fresh(url).dispose()
    script = SCRIPT.format(many=MANY, url=url, now=NOW.isoformat(), key=KEY)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(reports + 3):
            child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    database = Database(url)
    run(database, MANY)
    assert everything(database) == whole
    database.dispose()


def test_others_write_while_it_runs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'busy.db'}"
    database, counter = fresh(url), table(RateCount)
    done, written, between = threading.Event(), [0], []

    def write() -> None:
        other = Database(url, synchronous="NORMAL")
        while not done.is_set():
            with other.transaction() as connection:
                connection.execute(counter.insert(), {"key": f"k{written[0]}", "period": NOW, "count": 1})
            written[0] += 1
            done.wait(0.001)
        other.dispose()

    class Watch(Silent):
        def advance(self, amount: int = 1) -> None:
            between.append(written[0])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        run(database, MANY, progress=Watch())
    finally:
        done.set()
        writer.join()
    assert between[-1] > between[0]
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(counter)).scalar_one() == written[0]
    database.dispose()


def test_two_imports_at_once_make_one_shop(whole: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'twice.db'}"
    database = fresh(url)
    reports: list[CleaningReport] = []

    class Second(Silent):
        label = ""

        def start(self, total: int, label: str) -> None:
            self.label = label

        def advance(self, amount: int = 1) -> None:
            if amount and self.label == "导入会员与订单" and not reports:
                other = Database(url, synchronous="NORMAL")
                reports.append(run(other, MANY))
                other.dispose()

    reports.append(run(database, MANY, progress=Second()))
    assert everything(database) == whole
    assert all(0 < report.written["会员"] < MANY for report in reports)
    assert sum(report.written["会员"] for report in reports) == MANY
    database.dispose()
