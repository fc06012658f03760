"""The command line as a program: another process, in a folder of its own, with none of the caller's secrets."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from typer.testing import CliRunner

from bot.cli import app
from tests.support.forked import program

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 90
OURS = ("WECHAT_", "MEMBERBOT_")
OWN_PROCESS = ("serve", "work", "demo", "say")


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without anything of the product's, and `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"} | dict(more)


def memberbot(
    arguments: Sequence[str], folder: Path, env: Mapping[str, str] = {}, *, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end in `folder`."""
    with TemporaryDirectory() as away:
        streams = [Path(away, name) for name in ("stdin", "stdout", "stderr")]
        streams[0].write_text(stdin, "utf-8")
        process = program(arguments, folder, environment(env), streams)
        process.join(PATIENCE_SECONDS)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"{arguments}: {streams[2].read_text('utf-8')}")
        out, err = (path.read_text("utf-8") if path.exists() else "" for path in streams[1:])
    return subprocess.CompletedProcess(list(arguments), process.exitcode, out, err)


def free_port() -> int:
    """Return a loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    command: Sequence[str], folder: Path, page: str, env: Mapping[str, str] = {}
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server until the block ends, entered once `page` answers 200; stopped by SIGTERM."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment(env), stdout=log, stderr=log)
        try:
            _wait_for(process, page, folder / "server.log")
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)


def _wait_for(process: "subprocess.Popen[bytes]", page: str, log: Path) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    with httpx.Client(trust_env=False, timeout=5) as client:
        while time.monotonic() < until and process.poll() is None:
            try:
                if client.get(page).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
    raise AssertionError(f"no answer from {page}:\n{log.read_text()}")


@dataclass(frozen=True)
class Folder:
    """A folder with config.yaml, and the secrets that open its books."""

    path: Path
    secrets: Mapping[str, str]

    def run(self, *arguments: str, **more: str) -> tuple[int, str, str]:
        """Return exit code, standard output, standard error; what serves or talks runs in a process of its own."""
        env = {**self.secrets, **more}
        if arguments[0] in OWN_PROCESS:
            done = memberbot(arguments, self.path, env)
            return done.returncode, done.stdout, done.stderr
        unset = {name: None for name in os.environ if name.startswith(OURS)}
        with chdir(self.path):
            found = CliRunner().invoke(app, list(arguments), env={**unset, **env})
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return found.exit_code, found.stdout, found.stderr

    def json(self, *arguments: str) -> Any:
        """Return what the command prints with --json."""
        code, out, err = self.run(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)
