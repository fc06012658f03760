"""The real thing: `memberbot serve` in processes of its own on loopback ports, to be killed, stopped and questioned."""

import os
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from bot import config as configuration
from bot.service import Service, build
from tests.support.forked import program
from tests.support.shop import CONFIG, KEYS, merged
from tests.support.talker import Talker

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_config(folder: Path, url: str, changes: Mapping[str, Any] | None = None) -> Path:
    """The tests' shop as a config.yaml."""
    path = folder / "config.yaml"
    content = merged(merged(CONFIG, {"database": {"url": url}}), changes or {})
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
    return path


def open_books(path: Path) -> Service:
    """The same installation in this process: to fill the books and to look into them."""
    return build(configuration.load(path, {}), path)


@dataclass
class Server:
    """One `memberbot serve`, perhaps with several workers; `log` is what it wrote on standard error."""

    config: Path
    workers: int = 1
    port: int = field(default_factory=free_port)
    process: BaseProcess | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    @property
    def _log(self) -> Path:
        return self.config.parent / f"serve-{self.port}.log"

    def start(self, *, wait: bool = True) -> "Server":
        """Start, and by default wait until it is ready."""
        words = ["serve", "--config", str(self.config), "--no-scheduler", "--port", str(self.port)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEMBERBOT", "PYTHONDONT"))}
        streams = [Path(os.devnull), self._log, self._log]
        self.process = program([*words, "--workers", str(self.workers)], ROOT, kept, streams)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self) -> None:
        """Wait for /ready; fails with the log when the process ends instead."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            assert self.process is not None
            assert self.process.is_alive(), self.log
            try:
                if httpx.get(f"{self.address}/ready", timeout=5, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError(f"not ready: {self.log}")

    def kill(self) -> None:
        """kill -9, all of it; nothing gets a chance to say good-bye."""
        if self.process is not None and self.process.is_alive():
            family = [*psutil.Process(self.process.pid).children(recursive=True), psutil.Process(self.process.pid)]
            for process in family:
                process.send_signal(signal.SIGKILL)
            psutil.wait_procs(family[:-1], timeout=PATIENCE)
        if self.process is not None:
            self.process.join(PATIENCE)

    def stop(self) -> int | None:
        """SIGTERM; return the exit code."""
        assert self.process is not None
        self.process.terminate()
        self.process.join(PATIENCE)
        return self.process.exitcode

    def __enter__(self) -> "Server":
        return self if self.process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


def talker(openid: str, mode: str = "plain") -> Talker:
    """Somebody who makes signed requests; sending them is the test's business."""
    return Talker(openid, KEYS, mode, _nowhere, lambda: int(time.time()))


def _nowhere(body: bytes, query: object) -> httpx.Response:
    raise AssertionError("only makes requests")
