"""Many hands reach for one thing at once: two processes with four connections each, started together.

Run as a module it is one of the processes: it opens its connections, says `ready`, waits for a line, does its deeds
and writes down how each of them ended, as JSON.
"""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.faults import racers
from tests.faults.racers import HANDS

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 2


def race(url: str, deeds: Sequence[str], facts: dict[str, Any], times: int) -> Counter[str]:
    """Let both processes do their deed (one name each, or one for all) `times` in all; return how often each ending.

    An ending is 'won' or the code of the refusal; anything else fails the test with its trace.
    """
    share = times // (PROCESSES * HANDS)
    started = [_start(url, deeds[number % len(deeds)], facts, number, share) for number in range(PROCESSES)]
    for process in started:
        assert process.stdout is not None and _said_ready(process.stdout), process.communicate()[1]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    endings: Counter[str] = Counter()
    for process in started:
        answer, trace = process.communicate(timeout=240)
        assert process.returncode == 0, trace
        endings.update(json.loads(answer.splitlines()[-1]))
    assert endings.total() == share * PROCESSES * HANDS
    return endings


def _said_ready(lines: Iterable[str]) -> bool:
    return any(line == "ready\n" for line in lines)


def _start(url: str, deed: str, facts: dict[str, Any], number: int, share: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.faults.racing", url, deed, json.dumps(facts), str(number), str(share)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def main(url: str, deed: str, facts: dict[str, Any], number: int, share: int) -> None:
    """Be one of the processes."""
    endings: Counter[str] = Counter()
    together = threading.Barrier(HANDS + 1)
    with racers.ready(url, deed, facts) as turn, ThreadPoolExecutor(HANDS) as hands:

        def hand(which: int) -> Counter[str]:
            together.wait()
            return Counter(turn(f"{number}.{which}.{time}") for time in range(share))

        running = [hands.submit(hand, which) for which in range(HANDS)]
        print("ready", flush=True)
        sys.stdin.readline()
        together.wait()
        for one in running:
            endings.update(one.result())
    print(json.dumps(endings))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
