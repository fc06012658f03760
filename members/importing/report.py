"""What an import read, rejected, mended and wrote: for people as a table, for machines as JSON."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

TREATMENTS = {"rejected": "剔除", "mended": "修正", "kept": "保留"}
MANY_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of flaw: its stable code, what was done about it, why, how often, a few examples, the first rows."""

    code: str
    treatment: str
    reason: str
    count: int
    examples: Sequence[str] = ()
    rows: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class CleaningReport:
    """Figures of one import: `read` and `findings` describe the source, `written` only what this run added."""

    source: str
    facts: Mapping[str, str | int]
    read: Mapping[str, int]
    findings: Sequence[Finding]
    written: Mapping[str, int]

    @property
    def unchanged(self) -> bool:
        """True when the run found everything already in the books."""
        return not any(self.written.values())

    def to_json(self) -> str:
        """Return the report as JSON."""
        return json.dumps({**asdict(self), "unchanged": self.unchanged}, ensure_ascii=False, indent=2)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return the findings as (treatment, reason, count, examples) for a table; those that never occurred too."""
        return [
            (TREATMENTS[found.treatment], found.reason, f"{found.count:,}", "；".join(found.examples))
            for found in self.findings
        ]

    def summary(self) -> str:
        """Return one sentence on what this run wrote."""
        if self.unchanged:
            return "数据已全部导入过，本次没有改动。"
        return "本次写入：" + "，".join(f"{name} {many:,}" for name, many in self.written.items() if many) + "。"

    def text(self) -> str:
        """Return the whole report as aligned plain text."""
        facts = [(name, str(value), "", "") for name, value in self.facts.items()]
        read = [(f"读取{name}", f"{many:,}", "", "") for name, many in self.read.items()]
        table = _aligned([("处理", "原因", "数量", "例子"), *self.rows()])
        return "\n".join([f"清洗报告：{self.source}", *_aligned([*facts, *read]), "", *table, "", self.summary()])


def _width(cell: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in cell)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    padded = (
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)) for row in rows
    )
    return [line.rstrip() for line in padded]
