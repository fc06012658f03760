"""What is compared: memberbot on three kinds of books, a WeRoBot robot that only echoes, and a bare ASGI server."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.load import Kind
from benchmarks.postgres import postgres
from benchmarks.servers import ROOT, Contestant
from benchmarks.shop import fill, write_config

OURS, NORMAL, POSTGRES, AGAINST = "memberbot", "memberbot-normal", "memberbot-postgres", "against"
ECHO, ECHO_THREADS, BARE = "werobot", "werobot-gthread", "bare"
ALL = (OURS, NORMAL, POSTGRES, ECHO, ECHO_THREADS, BARE)
_GUNICORN = ("gunicorn", "--workers=1", "--bind=127.0.0.1:{port}", "--log-level=warning", "benchmarks.echo:application")
_UVICORN = ("uvicorn", "--port={port}", "--loop=uvloop", "--http=httptools", "--log-level=warning", "--no-access-log")
_OTHERS: Final[Mapping[str, tuple[Kind, tuple[str, ...]]]] = {
    ECHO: ("echo", _GUNICORN),
    ECHO_THREADS: ("echo", (*_GUNICORN, "--worker-class=gthread", "--threads=4")),
    BARE: ("constant", (*_UVICORN, "benchmarks.bare:app")),
}


def prepare(
    folder: Path, names: Sequence[str], members: int, stack: ExitStack, *, against: Path = ROOT
) -> list[Contestant]:
    """Return the servers of these names in that order; books are filled, one PostgreSQL is stopped with `stack`."""
    return [
        Contestant(name, (sys.executable, "-m", *_OTHERS[name][1]), _OTHERS[name][0])
        if name in _OTHERS
        else _memberbot(folder / name, name, members, stack, against if name == AGAINST else ROOT)
        for name in names
    ]


def _memberbot(folder: Path, name: str, members: int, stack: ExitStack, tree: Path) -> Contestant:
    folder.mkdir()
    live = folder / "live.db"
    url = stack.enter_context(postgres(folder)) if name == POSTGRES else f"sqlite:///{live}"
    config = write_config(folder, url, "NORMAL" if name == NORMAL else "FULL")
    fill(config, members)
    command = (sys.executable, "-m", "bot.cli", "serve", f"--config={config}", "--port={port}")
    fresh = {live.rename(folder / "filled.db"): live} if live.exists() else {}
    return Contestant(name, command, "points", members, fresh, tree)
