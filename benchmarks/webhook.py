"""The webhook against a robot that only echoes and against a bare server, burst by burst in one run.

`python -m benchmarks.webhook`, or `python3 dev.py bench webhook -- --rounds 20`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contestants import AGAINST, ALL, BARE, ECHO, ECHO_THREADS, NORMAL, OURS, prepare
from benchmarks.load import Load, Measured
from benchmarks.servers import ROOT, Contestant, Server, put, running
from benchmarks.stages import breakdown

WARM_UP = 500


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured: bursts of `messages` from so many callers, of each server once in each round."""

    rounds: int = 12
    messages: int = 1500
    members: int = 2000
    concurrency: Sequence[int] = (32, 64)
    names: Sequence[str] = (OURS, ECHO, ECHO_THREADS, NORMAL, BARE)
    starts: int = 3
    against: Path = ROOT


@dataclass(frozen=True, slots=True)
class Burst:
    """What one server did in one burst; `cpu` is the milliseconds of processor it used per message."""

    name: str
    concurrency: int
    cpu: float
    measured: Measured


@dataclass(slots=True)
class Result:
    """All bursts in order; per server the seconds to the first right answer of each start, and memory in MiB."""

    bursts: list[Burst] = field(default_factory=list)
    first_answers: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)


def compare(options: Options, say: Callable[[str], None]) -> Result:
    """Start the servers one after another, then load one at a time; RuntimeError when an answer is wrong."""
    result, numbers = Result(), count(0, 1_000_000)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        made = prepare(Path(folder), options.names, options.members, stack, against=options.against)
        up = [(one, _start(one, Path(folder), options.starts, result, stack)) for one in made]
        for one, server in up:
            put(Load(server.port, one.kind, one.members, next(numbers), WARM_UP, options.concurrency[0]))
        for number in range(options.rounds):
            for callers in options.concurrency:
                for one, server in up[:: 1 - number % 2 * 2]:  # forwards, then backwards
                    done = _burst(one, server, options.messages, callers, numbers)
                    result.bursts.append(done)
                    say(f"{number + 1:3} {one.name:20}{callers:4} callers {done.measured.rate:8,.0f}/s")
        result.memory = {one.name: server.mebibytes() for one, server in up}
    if wrong := {one.name: one.measured.wrong for one in result.bursts if one.measured.wrong}:
        raise RuntimeError(f"wrong answers: {wrong}")
    return result


def _start(one: Contestant, folder: Path, starts: int, result: Result, stack: ExitStack) -> Server:
    answers = result.first_answers.setdefault(one.name, [])
    for _ in range(starts - 1):
        with running(one, folder / f"{one.name}.log") as server:
            answers.append(server.first_answer)
    server = stack.enter_context(running(one, folder / f"{one.name}.log"))
    answers.append(server.first_answer)
    return server


def _burst(one: Contestant, server: Server, messages: int, callers: int, numbers: Iterator[int]) -> Burst:
    began = server.seconds()
    done = put(Load(server.port, one.kind, one.members, next(numbers), messages, callers))
    return Burst(one.name, callers, (server.seconds() - began) * 1000 / messages, done)


def summary(result: Result) -> list[dict[str, Any]]:
    """Return medians per server and concurrency; `ratio` is the rate over the echo's of the round, in quartiles."""
    rows = []
    for name, callers in dict.fromkeys((one.name, one.concurrency) for one in result.bursts):
        mine, echo = (
            [one for one in result.bursts if (one.name, one.concurrency) == (who, callers)] for who in (name, ECHO)
        )
        ratios = sorted(a.measured.rate / b.measured.rate for a, b in zip(mine, echo, strict=False))
        row: dict[str, Any] = {"name": name, "callers": callers}
        for figure in ("rate", "p50", "p99", "generator"):
            row[figure] = median(getattr(one.measured, figure) for one in mine)
        row["cpu"] = median(one.cpu for one in mine)
        row["first_answer"], row["memory"] = median(result.first_answers[name]), result.memory[name]
        row["ratio"] = [ratios[len(ratios) * part // 4] for part in (1, 2, 3)] if ratios else []
        rows.append(row)
    return rows


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the table."""
    print(f"{'':20}callers    msg/s  p50 ms  p99 ms  CPU ms  first s  MiB  × echo (quartiles)")
    for row in rows:
        ratio = "{1:.2f} ({0:.2f}–{2:.2f})".format(*row["ratio"]) if row["ratio"] else ""
        print(
            f"{row['name']:20}{row['callers']:7}{row['rate']:9,.0f}{row['p50']:8.1f}{row['p99']:8.1f}{row['cpu']:8.3f}"
            f"{row['first_answer']:9.2f}{row['memory']:5.0f}  {ratio}"
        )
    print(f"All answers were right. The load generator used at most {max(r['generator'] for r in rows):.0%} of a core.")


def main(arguments: Sequence[str]) -> None:
    """Measure and print; with --json, write every burst as well."""
    standard = Options()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=standard.rounds)
    parser.add_argument("--messages", type=int, default=standard.messages, help="in each burst")
    parser.add_argument("--members", type=int, default=standard.members)
    parser.add_argument("--concurrency", type=int, nargs="+", default=standard.concurrency)
    parser.add_argument("--names", nargs="+", choices=ALL, default=standard.names)
    parser.add_argument("--starts", type=int, default=standard.starts, help="for the time to the first answer")
    parser.add_argument("--against", type=Path, help="another checkout, whose memberbot takes part")
    parser.add_argument("--stages", action="store_true", help="only where the time goes")
    parser.add_argument("--json", type=Path, help="where to write everything that was measured")
    asked = parser.parse_args(arguments)
    names = [*asked.names, AGAINST] if asked.against else asked.names
    tree = asked.against.resolve() if asked.against else ROOT
    options = Options(asked.rounds, asked.messages, asked.members, asked.concurrency, names, asked.starts, tree)
    if asked.stages:
        breakdown(options.members, max(options.concurrency))
        return
    result = compare(options, lambda line: print(line, flush=True))
    rows = summary(result)
    show(rows)
    stages = breakdown(options.members, max(options.concurrency))
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps({"rows": rows, "stages": stages, **asdict(result)}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
