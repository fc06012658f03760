"""What understanding costs: loading the model, memory, a line of each kind. Run: python3 dev.py bench understanding"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median, quantiles

HELD_OUT = Path(__file__).parents[1] / "tests" / "handlers" / "heldout"
ROUNDS = 3
KB = 1024


def _memory() -> float:
    """Return the resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4 * KB / KB / KB


def loading() -> dict[str, float]:
    """Return seconds and MiB that the first line for the model costs a process that has answered by rules already."""
    from handlers.understanding import understand

    understand("我的积分还有多少呀")
    before, start = _memory(), time.perf_counter()
    understand("帮我瞧瞧那个攒的分还剩几个呗")
    return {"seconds": time.perf_counter() - start, "mib": _memory() - before}


def texts() -> Sequence[str]:
    """Return the lines of the held-out set, shuffled the same way every time."""
    lines = [line for path in sorted(HELD_OUT.glob("*.txt")) for line in path.read_text("utf-8").splitlines()]
    found = [line.split("\t")[1] for line in lines if "\t" in line]
    random.Random(1).shuffle(found)
    return found


def timed(work: Callable[[str], object], lines: Sequence[str]) -> list[float]:
    """Return the microseconds of each line."""
    found = []
    for line in lines:
        start = time.perf_counter_ns()
        work(line)
        found.append((time.perf_counter_ns() - start) / 1000)
    return found


def main() -> None:
    """Print the figures of three processes, one after the other, as one line of JSON."""
    if sys.argv[1:] == ["--loading"]:
        print(json.dumps(loading()))
        return
    command = [sys.executable, "-m", "benchmarks.understanding", "--loading"]
    loads = [json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(ROUNDS)]
    from handlers.nlu import deciding, model
    from handlers.reading import normalise
    from handlers.understanding import certain, understand

    lines = texts()
    model.loaded()
    by_rule = [line for line in lines if certain(line).intent != "unknown"]
    by_model = [normalise(line) for line in lines if certain(line).intent == "unknown"]
    kinds = {
        "all": timed(understand, lines), "by rules": timed(certain, by_rule),
        "by the model": timed(lambda line: deciding.decide.__wrapped__(line), by_model),
    }  # fmt: skip
    figures = {
        "load s": round(median(one["seconds"] for one in loads), 3),
        "load MiB": round(median(one["mib"] for one in loads), 1),
        **{
            name: {"p50 µs": round(median(took)), "p99 µs": round(quantiles(took, n=100)[98])}
            for name, took in kinds.items()
        },
    }
    print(json.dumps(figures, ensure_ascii=False))


if __name__ == "__main__":
    main()
