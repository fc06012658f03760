"""Where the time of one message goes: each stage of the callback timed in one process, in batches as the writer's.

`python -m benchmarks.stages`. Microseconds a message, median over the batches; the HTTP server's own share is what the
whole-process measurement of `benchmarks.webhook` has beyond these.
"""

import tempfile
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from statistics import median
from urllib.parse import parse_qsl

from benchmarks.load import exchange
from benchmarks.shop import KEYS, fill, write_config
from bot import config as configuration
from bot.dispatch import Job
from bot.envelope import Envelope, decode_aes_key
from bot.inbound import inbound_of
from bot.service import build

MEMBERS, BATCHES, BATCH = 2000, 60, 32
NAMES = {
    "open": "verify, decrypt and parse",
    "inbound": "check the fields, make the key",
    "book": "one transaction: admit, load, answer, render, store, commit",
    "seal": "encrypt and sign the answer",
}


def measure(folder: Path, batches: int = BATCHES, members: int = MEMBERS) -> dict[str, float]:
    """Return {stage: microseconds a message} on SQLite with synchronous=FULL."""
    path = write_config(folder, f"sqlite:///{folder / 'bench.db'}", "FULL")
    fill(path, members)
    service = build(configuration.load(path, {}), path)
    envelope = Envelope(app_id=KEYS.app_id, token=KEYS.token, keys=(decode_aes_key(KEYS.aes),))
    spent: defaultdict[str, list[float]] = defaultdict(list)
    for batch in range(batches):
        requests = [exchange("points", members, batch * BATCH + n).request for n in range(BATCH)]
        parts = [request.split(b"\r\n\r\n", 1) for request in requests]
        queries = [dict(parse_qsl(head.split(b" ", 2)[1].partition(b"?")[2].decode())) for head, _ in parts]
        marks = [time.perf_counter()]
        opened = [envelope.open(query, body) for query, (_, body) in zip(queries, parts, strict=True)]
        marks.append(time.perf_counter())
        jobs = [Job(inbound_of(one.root)) for one in opened]
        marks.append(time.perf_counter())
        service.dispatcher.process(jobs)
        marks.append(time.perf_counter())
        sealed = [envelope.seal(job.xml or "", one, 1) for job, one in zip(jobs, opened, strict=True)]
        marks.append(time.perf_counter())
        assert all("Encrypt" in answer for answer in sealed)
        for stage, (start, end) in zip(NAMES, pairwise(marks), strict=True):
            spent[stage].append((end - start) / BATCH * 1e6)
    service.close()
    return {stage: median(found) for stage, found in spent.items()}


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        for stage, microseconds in measure(Path(folder)).items():
            print(f"{microseconds:7.0f} µs  {NAMES[stage]}")


if __name__ == "__main__":
    main()
