"""What the command line prints: text for people, JSON for programs, a progress bar on standard error."""

import json
from collections.abc import Callable
from types import TracebackType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]


def out(text: str) -> None:
    """Print to standard output."""
    print(text, flush=True)


def show(value: Any, as_json: bool, for_people: Callable[[Any], None]) -> None:
    """Print a value as JSON, or as people read it."""
    if as_json:
        out(json.dumps(value, ensure_ascii=False, default=str))
    else:
        for_people(value)


class Bar:
    """Implements members.importing.progress.Progress as a bar on standard error."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=Console(stderr=True), transient=False,
        )  # fmt: skip
        self._task: TaskID | None = None
        self._steps: dict[str, TaskID] = {}

    def __enter__(self) -> "Bar":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def start(self, total: int, label: str) -> None:
        """Begin a phase."""
        self._task = self._bar.add_task(label, total=total)

    def advance(self, amount: int = 1) -> None:
        """Move on."""
        if self._task is not None:
            self._bar.advance(self._task, amount)

    def told(self, what: str, done: int, total: int | None) -> None:
        """Say how far a step of this name is; without a total it only moves."""
        if what not in self._steps:
            self._steps[what] = self._bar.add_task(what, total=total)
        self._bar.update(self._steps[what], completed=done, total=total)
