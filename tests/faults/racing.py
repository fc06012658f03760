"""Many hands reach for one thing at once: two processes with four connections each, started together.

Each process opens its connections, says that it is ready, waits for the word, does its deeds and tells how each ended.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

from tests.faults import racers
from tests.faults.racers import HANDS
from tests.support.forked import FORKS, forked

PROCESSES, PATIENCE_SECONDS = 2, 240


def race(url: str, deeds: Sequence[str], facts: dict[str, Any], times: int) -> Counter[str]:
    """Let both processes do their deed (one name each, or one for all) `times` in all; return how often each ending.

    An ending is 'won' or the code of the refusal; anything else fails the test, its trace on standard error.
    """
    share = times // (PROCESSES * HANDS)
    lines: list[Connection] = []
    for number in range(PROCESSES):
        here, there = FORKS.Pipe()
        forked(run, there, url, deeds[number % len(deeds)], facts, number, share)
        there.close()
        lines.append(here)
    try:
        for line in lines:
            assert heard(line) == "ready"
        for line in lines:
            line.send("go")
        endings = sum((heard(line) for line in lines), Counter[str]())
    finally:
        for line in lines:
            line.close()  # who still waits for the word ends
    assert endings.total() == share * PROCESSES * HANDS
    return endings


def heard(line: Connection) -> Any:
    """Return what the process says next; EOFError when it is gone."""
    assert line.poll(PATIENCE_SECONDS), "nothing was heard"
    return line.recv()


def run(line: Connection, url: str, deed: str, facts: dict[str, Any], number: int, share: int) -> None:
    """Be one of the processes."""
    endings: Counter[str] = Counter()
    together = threading.Barrier(HANDS + 1)
    with racers.ready(url, deed, facts) as turn, ThreadPoolExecutor(HANDS) as hands:

        def hand(which: int) -> Counter[str]:
            together.wait()
            return Counter(turn(f"{number}.{which}.{time}") for time in range(share))

        running = [hands.submit(hand, which) for which in range(HANDS)]
        line.send("ready")
        line.recv()
        together.wait()
        for one in running:
            endings.update(one.result())
    line.send(endings)
