"""What is odd in a table, gathered while it is read: by kind with row numbers, and the rejected rows themselves."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from members.importing.report import MANY_EXAMPLES, Finding

MANY_ROWS = 1000
ORDER = ("rejected", "mended", "kept")


@dataclass(slots=True)
class _Kind:
    treatment: str
    reason: str
    count: int = 0
    examples: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)


class Flaws:
    """The findings of one import; with a file, rejected rows are also written there to be mended and imported again."""

    def __init__(self, rejected: Path | None = None) -> None:
        self._kinds: dict[tuple[str, str], _Kind] = {}
        self._file = None if rejected is None else rejected.open("w", encoding="utf-8-sig", newline="")
        self._writer: Any = None

    def __enter__(self) -> "Flaws":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def reject(self, row: int, code: str, reason: str, cells: Mapping[str, Any], *, example: str = "") -> None:
        """Note a row that is not imported; `example` never holds a phone or a name."""
        self._add("rejected", row, code, reason, example)
        if self._file is None:
            return
        if self._writer is None:
            self._writer = csv.writer(self._file)
            self._writer.writerow(["行号", "原因", *cells])
        self._writer.writerow([row, reason, *("" if cell is None else cell for cell in cells.values())])

    def mend(self, row: int, code: str, reason: str, example: str = "") -> None:
        """Note a row of which something was put right."""
        self._add("mended", row, code, reason, example)

    def keep(self, row: int, code: str, reason: str, example: str = "") -> None:
        """Note a row that is odd and was taken as it is."""
        self._add("kept", row, code, reason, example)

    def _add(self, treatment: str, row: int, code: str, reason: str, example: str) -> None:
        kind = self._kinds.setdefault((code, reason), _Kind(treatment, reason))
        kind.count += 1
        if len(kind.rows) < MANY_ROWS:
            kind.rows.append(row)
        if len(kind.examples) < MANY_EXAMPLES:
            kind.examples.append(f"第 {row} 行 {example}".strip())

    @property
    def rejected(self) -> int:
        """Return how many rows were rejected."""
        return sum(kind.count for kind in self._kinds.values() if kind.treatment == "rejected")

    def findings(self) -> Iterable[Finding]:
        """Return what was found, the rejected first, the most frequent of each before."""
        found = sorted(self._kinds.items(), key=lambda one: (ORDER.index(one[1].treatment), -one[1].count, one[0]))
        return [
            Finding(code, kind.treatment, kind.reason, kind.count, kind.examples, sorted(kind.rows))
            for (code, _), kind in found
        ]
