"""`memberbot` in a process of its own that need not import everything again: forked from one that has.

Exit codes, signals, files and standard streams are those of any process; how a fresh interpreter starts the command
is tested where servers are started by their command line.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload([f"bot.command_{name}" for name in ("serve", "books", "checks", "nlu", "key", "members")])
STREAMS = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_APPEND, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def forked(function: Callable[..., None], *given: Any) -> BaseProcess:
    """Start a function of a module that can be imported."""
    process = FORKS.Process(target=function, args=given)
    process.start()
    return process


def program(arguments: Sequence[str], folder: Path, env: Mapping[str, str], streams: Sequence[Path]) -> BaseProcess:
    """Start `memberbot` with these words in a folder; `streams` are files for standard input, output and error."""
    return forked(_memberbot, list(arguments), folder, dict(env), list(streams))


def _memberbot(arguments: list[str], folder: Path, env: dict[str, str], streams: list[Path]) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    for number, (path, how) in enumerate(zip(streams, STREAMS, strict=True)):
        os.dup2(os.open(path, how, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(at, mode, encoding="utf-8") for at, mode in enumerate("rww"))
    sys.argv = ["memberbot", *arguments]
    from bot.cli import main

    main()
