"""The webhook against a robot that only echoes and against a bare server, turn by turn in one run.

`python -m benchmarks.webhook`, or `python3 dev.py bench webhook -- --rounds 7 --postgres`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.load import Kind, Load
from benchmarks.postgres import postgres
from benchmarks.servers import Contestant, put, running
from benchmarks.shop import fill, write_config

OURS, NORMAL, POSTGRES = "memberbot", "memberbot-normal", "memberbot-postgres"
ECHO, ECHO_THREADS, BARE = "werobot", "werobot-gthread", "bare"
AGAINST = "against"
ALL = (OURS, NORMAL, POSTGRES, ECHO, ECHO_THREADS, BARE)
FIGURES = ("rate", "p50", "p99", "cpu", "first_answer", "mebibytes", "generator")
_GUNICORN = ("gunicorn", "--workers=1", "--bind=127.0.0.1:{port}", "--log-level=warning", "benchmarks.echo:application")
COMMANDS: Final[Mapping[str, tuple[Kind, tuple[str, ...]]]] = {
    ECHO: ("echo", _GUNICORN),
    ECHO_THREADS: ("echo", (*_GUNICORN, "--worker-class=gthread", "--threads=4")),
    BARE: (
        "constant",
        (
            "uvicorn",
            "benchmarks.bare:app",
            "--port={port}",
            "--loop=uvloop",
            "--http=httptools",
            "--log-level=warning",
            "--no-access-log",
        ),
    ),
}
WARM_UP = 300


@dataclass(frozen=True, slots=True)
class Turn:
    """What one server did in one turn at one concurrency; `cpu` is its own milliseconds of processor per message."""

    name: str
    concurrency: int
    rate: float
    p50: float
    p99: float
    wrong: int
    cpu: float
    first_answer: float
    mebibytes: float
    generator: float


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured."""

    rounds: int = 5
    messages: int = 4000
    members: int = 2000
    concurrency: Sequence[int] = (32, 64)
    names: Sequence[str] = (OURS, ECHO, NORMAL, BARE)
    against: Path | None = None


def contestants(folder: Path, options: Options, stack: ExitStack) -> dict[str, Contestant]:
    """Prepare the servers asked for: books are filled once, and those of SQLite are copied for each start."""
    made = {}
    for name in options.names:
        if name in COMMANDS:
            made[name] = Contestant(name, (sys.executable, "-m", *COMMANDS[name][1]), COMMANDS[name][0])
            continue
        place = folder / name
        place.mkdir()
        live = place / "live.db"
        url = stack.enter_context(postgres(place)) if name == POSTGRES else f"sqlite:///{live}"
        config = write_config(place, url, "NORMAL" if name == NORMAL else "FULL")
        fill(config, options.members)
        command = (sys.executable, "-m", "bot.cli", "serve", f"--config={config}", "--port={port}")
        fresh = {live.rename(place / "filled.db"): live} if live.exists() else {}
        made[name] = Contestant(name, command, "points", options.members, fresh)
    if options.against is not None:
        made[AGAINST] = replace(made[OURS], name=AGAINST, tree=options.against.resolve())
    return made


def turn(one: Contestant, options: Options, numbers: Iterator[int], log: Path) -> Iterator[Turn]:
    """Let one server run once: warm it up, then put each concurrency on it."""
    with running(one, log) as server:
        put(Load(server.port, one.kind, one.members, next(numbers), WARM_UP, options.concurrency[0]))
        for callers in options.concurrency:
            began = server.seconds()
            done = put(Load(server.port, one.kind, one.members, next(numbers), options.messages, callers))
            cpu = (server.seconds() - began) * 1000 / options.messages
            yield Turn(
                one.name, callers, done.rate, done.p50, done.p99, done.wrong, cpu, server.first_answer,
                server.mebibytes(), done.generator,
            )  # fmt: skip


def compare(options: Options, *, say: Callable[[str], None]) -> list[Turn]:
    """Let every server have its turn in each round; raises RuntimeError when one does not answer rightly."""
    numbers = count(0, 1_000_000)
    turns: list[Turn] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        made = contestants(Path(folder), options, stack)
        for number in range(1, options.rounds + 1):
            for one in made.values():
                for done in turn(one, options, numbers, Path(folder) / f"{one.name}.log"):
                    turns.append(done)
                    say(f"{number} {done.name:18} c={done.concurrency:<3} {done.rate:7,.0f}/s  p99 {done.p99:6.1f} ms")
    if wrong := {done.name: done.wrong for done in turns if done.wrong}:
        raise RuntimeError(f"wrong answers: {wrong}")
    return turns


def summary(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return one row per server and concurrency: medians, and the ratio to the echo of the same round."""
    rows = []
    for name, callers in dict.fromkeys((turn.name, turn.concurrency) for turn in turns):
        mine = [turn for turn in turns if (turn.name, turn.concurrency) == (name, callers)]
        echo = [turn for turn in turns if (turn.name, turn.concurrency) == (ECHO, callers)]
        ratios = sorted(a.rate / b.rate for a, b in zip(mine, echo, strict=False))
        row = {field: median(getattr(turn, field) for turn in mine) for field in FIGURES}
        row |= {"ratio": median(ratios), "ratio_low": ratios[0], "ratio_high": ratios[-1]} if ratios else {}
        rows.append({"name": name, "concurrency": callers, "rounds": len(mine), **row})
    return rows


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the table."""
    print("server              callers    msg/s  p50 ms  p99 ms  CPU ms/msg  first s    MiB  x echo (range)")
    for row in rows:
        ratio = f"{row['ratio']:.2f} ({row['ratio_low']:.2f}-{row['ratio_high']:.2f})" if "ratio" in row else ""
        print(
            f"{row['name']:20}{row['concurrency']:7}{row['rate']:9,.0f}{row['p50']:8.1f}{row['p99']:8.1f}{row['cpu']:12.3f}"
            f"{row['first_answer']:9.2f}{row['mebibytes']:7.0f}  {ratio}"
        )
    busiest = max(row["generator"] for row in rows)
    print(f"The load generator took at most {busiest:.0%} of a core; all answers were right.")


def main(arguments: Sequence[str]) -> None:
    """Measure and print; with --json, write every turn as well."""
    standard = Options()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=standard.rounds)
    parser.add_argument("--messages", type=int, default=standard.messages, help="in each measurement")
    parser.add_argument("--members", type=int, default=standard.members)
    parser.add_argument("--concurrency", type=int, nargs="+", default=list(standard.concurrency))
    parser.add_argument("--names", nargs="+", choices=ALL, default=list(standard.names))
    parser.add_argument("--against", type=Path, help="another checkout whose memberbot takes turns with this one")
    parser.add_argument("--json", type=Path, help="where to write what was measured")
    asked = parser.parse_args(arguments)
    options = Options(asked.rounds, asked.messages, asked.members, asked.concurrency, asked.names, asked.against)
    turns = compare(options, say=lambda line: print(line, flush=True))
    rows = summary(turns)
    show(rows)
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        whole = {"options": asdict(options), "rows": rows, "turns": [asdict(turn) for turn in turns]}
        asked.json.write_text(json.dumps(whole, indent=1, default=str))


if __name__ == "__main__":
    main(sys.argv[1:])
