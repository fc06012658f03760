"""How well lines are understood: accuracy, what was taken for what, what a threshold costs."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlers.grammar import SURE
from handlers.nlu.own import Own
from handlers.understanding import ACTIONS, understand

ACTING = ACTIONS | {"confirm"}


def of_folds(
    logits: NDArray[Any], right: NDArray[np.intp], intents: Sequence[str], samples: Sequence[Any], shown: int = 40
) -> str:
    """Return a report of calibrated logits [lines, intents]."""
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    best = chances.argmax(axis=1)
    sure = chances.max(axis=1)
    lines = [f"unseen patterns: {len(right)} lines, {100 * (best == right).mean():.1f} % right"]
    for threshold in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        kept = sure >= threshold
        lines.append(
            f"  at least {threshold}: {100 * kept.mean():.1f} % of lines, "
            f"{100 * (best == right)[kept].mean():.1f} % right"
        )
    wrong = Counter((intents[r], intents[b]) for r, b in zip(right, best, strict=True) if r != b)
    lines += [f"  {many:4d}  {was} taken for {seen}" for (was, seen), many in wrong.most_common(shown)]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was understood: what it means (a name of CONTRACT.md), what we took it for, how sure."""

    text: str
    right: str
    found: str
    sure: bool

    @property
    def wrong_action(self) -> bool:
        """Tell whether something would be done that was not said."""
        return self.sure and self.found in ACTING and self.found != self.right


def read_held_out(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (intent, text) of the `intent<TAB>text` lines of a file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        intent, tab, text = line.partition("\t")
        if tab and not line.startswith("#"):
            yield intent.strip(), text


def judge(pairs: Iterable[tuple[str, str]], own: Own | None = None) -> list[Line]:
    """Understand (intent, text) pairs, those of staff as from staff."""
    found = []
    for right, text in pairs:
        said = understand(text, staff=right.startswith("staff_"), own=own)
        found.append(Line(text, right, said.contract, said.confidence >= SURE))
    return found


def of_lines(lines: Sequence[Line]) -> str:
    """Return accuracy, accuracy by intent where it is not whole, wrong actions and the confusion."""
    right = sum(line.found == line.right for line in lines)
    wrong_actions = [line for line in lines if line.wrong_action]
    text = [f"{len(lines)} lines, {100 * right / max(1, len(lines)):.1f} % right, {len(wrong_actions)} wrong actions"]
    text += [f"  WRONG ACTION {line.found} for {line.right}: {line.text}" for line in wrong_actions]
    mixed = Counter((line.right, line.found) for line in lines if line.right != line.found)
    text += [f"  {many:4d}  {was} taken for {seen}" for (was, seen), many in mixed.most_common()]
    return "\n".join(text) + "\n"
