"""Where a message's time goes: the service itself with a stopwatch around each stage, under load.

The stopwatches cost time of their own: look at the shares, not at the sum.
"""

import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from benchmarks.contestants import OURS, prepare
from benchmarks.load import Load
from benchmarks.servers import put, running
from bot import config as configuration
from bot import dispatch, envelope, logs, serving, webhook, writer
from bot.service import build
from handlers import routing
from members import inbox, ledger, outbox, people

MESSAGES = 6000
# (name, where, attribute); those indented are inside the one above
LOOP = (
    ("parse the query", webhook, "parse_qsl"),
    ("open", envelope.Envelope, "open"),
    ("  verify the signature", envelope.Envelope, "verify"),
    ("  decrypt", envelope.Envelope, "_decrypt"),
    ("  parse the XML", envelope, "parse_xml"),
    ("inbound", webhook, "inbound_of"),
    ("queue", writer.Writer, "submit"),
    ("seal", envelope.Envelope, "seal"),
)
THREAD = (
    ("batch", dispatch.Dispatcher, "process"),
    ("  inbox: admit", inbox, "admit"),
    ("  people: touch", people, "touch"),
    ("  people: load", people, "load"),
    ("  understand", routing, "plan"),
    ("  answer", routing, "answer"),
    ("    good points", ledger, "good_points"),
    ("  outbox: waiting", outbox, "waiting"),
    ("  render", dispatch, "reply_xml"),
    ("  inbox: store", inbox, "store"),
    ("  commit", SQLiteDialect_pysqlite, "do_commit"),
)


class Watches:
    """Per stage the seconds that passed and the seconds of processor of its thread."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def put_around(self, name: str, owner: Any, attribute: str) -> None:
        """Time every call of a function."""
        timed: Callable[..., Any] = getattr(owner, attribute)
        spent = self.seconds[name]

        def watched(*given: Any, **named: Any) -> Any:
            wall, own = time.perf_counter(), time.thread_time()
            try:
                return timed(*given, **named)
            finally:
                spent[0] += time.perf_counter() - wall
                spent[1] += time.thread_time() - own

        setattr(owner, attribute, watched)

    def put_around_queue(self) -> None:
        """Time how long a message waits for the writer, and all that the writer's thread does."""
        submit, process, run = writer.Writer.submit, dispatch.Dispatcher.process, writer.Writer._run
        queued: dict[int, float] = {}

        def submitted(self_: Any, *given: Any, **named: Any) -> Any:
            job, future = submit(self_, *given, **named)
            queued[id(job)] = time.perf_counter()
            return job, future

        def processed(self_: Any, jobs: Any) -> None:
            now = time.perf_counter()
            self.seconds["wait for the writer"][0] += sum(now - queued.pop(id(job), now) for job in jobs)
            process(self_, jobs)

        def ran(self_: Any) -> None:
            run(self_)
            self.seconds["writer thread"][1] = time.thread_time()

        replaced = ((writer.Writer, "submit", submitted), (writer.Writer, "_run", ran))
        for owner, name, function in (*replaced, (dispatch.Dispatcher, "process", processed)):
            setattr(owner, name, function)


def serve(config: str, port: str, report: str) -> None:
    """Serve with stopwatches until told to stop, then write what they show."""
    path = Path(config)
    watches = Watches()
    watches.put_around_queue()
    for name, owner, attribute in (*LOOP, *THREAD):
        watches.put_around(name, owner, attribute)
    logs.configure()
    service = build(configuration.load(path, os.environ), path)
    began = time.thread_time()
    serving.serve_one(service, "127.0.0.1", int(port), scheduler=False)
    watches.seconds["event loop"][1] = time.thread_time() - began
    Path(report).write_text(json.dumps(watches.seconds))


def breakdown(members: int, callers: int, messages: int = MESSAGES) -> dict[str, list[float]]:
    """Print and return {stage: [µs that passed, µs of processor]} per message of memberbot under load."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        (made,) = prepare(Path(folder), [OURS], members, stack)
        report = Path(folder, "report.json")
        config = next(part.partition("=")[2] for part in made.command if part.startswith("--config="))
        child = "import sys; from benchmarks.stages import serve; serve(*sys.argv[1:])"
        command = (sys.executable, "-c", child, config, "{port}", str(report))
        with running(replace(made, command=command), Path(folder, "log")) as server:
            done = put(Load(server.port, "points", members, 0, messages, callers))
        seconds = {
            name: [1e6 * part / messages for part in both] for name, both in json.loads(report.read_text()).items()
        }
    print(f"\nµs per message, {callers} callers, {done.rate:,.0f}/s with the stopwatches on    passed  processor")
    for title, stages in (("event loop", LOOP), ("wait for the writer", ()), ("writer thread", THREAD)):
        _line(title, seconds[title])
        for name, _, _ in stages:
            _line("  " + name, seconds[name])
    return seconds


def _line(name: str, both: list[float]) -> None:
    print(f"{name:60}" + "".join(f"{part:10.1f}" if part else " " * 10 for part in both))
