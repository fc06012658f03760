"""The servers that are compared, each in its own processes on a loopback port, started fresh for every turn."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from benchmarks.load import Kind, Load, Measured, exchange, right

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Contestant:
    """One server: its command (`{port}` filled in), what it is asked, files copied afresh for each start, its tree."""

    name: str
    command: Sequence[str]
    kind: Kind
    members: int = 1
    fresh: Mapping[Path, Path] = field(default_factory=dict)
    tree: Path = ROOT


@dataclass(frozen=True, slots=True)
class Server:
    """A server that has given its first right answer, `first_answer` seconds after its process was started."""

    process: psutil.Process
    port: int
    first_answer: float

    def seconds(self) -> float:
        """Return the processor seconds that its processes have used."""
        return sum(sum(each.cpu_times()[:2]) for each in self._all())

    def mebibytes(self) -> float:
        """Return the resident memory of its processes."""
        return float(sum(each.memory_info().rss for each in self._all())) / 2**20

    def _all(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def running(one: Contestant, log: Path) -> Iterator[Server]:
    """Start a server, wait for its first right answer, stop it at the end; its words go to `log`."""
    for template, copy in one.fresh.items():
        for stale in copy.parent.glob(copy.name + "*"):
            stale.unlink()
        shutil.copyfile(template, copy)
    port = free_port()
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("ab") as words:
        began = time.perf_counter()
        process = subprocess.Popen(
            [part.format(port=port) for part in one.command], cwd=one.tree, env=env, stdout=words, stderr=words
        )
        try:
            waited = _first_answer(one, port, process, began)
            yield Server(psutil.Process(process.pid), port, waited)
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _first_answer(one: Contestant, port: int, process: "subprocess.Popen[bytes]", began: float) -> float:
    asked = exchange(one.kind, one.members, time.time_ns() // 1000)
    while not right(one.kind, asked):
        if process.poll() is not None or time.perf_counter() - began > PATIENCE:
            raise RuntimeError(f"{one.name} gave no right answer: {asked.answer!r}")
        time.sleep(0.005)
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
                connection.sendall(asked.request.replace(b"Host:", b"Connection: close\r\nHost:", 1))
                asked.answer = b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionError:
            continue
    return time.perf_counter() - began


def put(load: Load) -> Measured:
    """Put a load on a server from a process of its own."""
    command = [sys.executable, "-c", "from benchmarks.load import main; main()"]
    said = subprocess.run(command, cwd=ROOT, input=json.dumps(asdict(load)), capture_output=True, text=True, check=True)
    return Measured(**json.loads(said.stdout))


def free_port() -> int:
    """Return a loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
