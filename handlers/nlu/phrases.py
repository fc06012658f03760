"""The phrases people wrote for each intent (phrases/<intent>.txt): a block of lines is one sentence pattern."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).with_name("phrases")
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Phrase:
    """One line, its intent, and the pattern it is a variation of: whole patterns are held out, never lines."""

    text: str
    intent: str
    block: str


def read(folder: Path = HERE) -> list[Phrase]:
    """Return every phrase, in the order of the files' names."""
    return [phrase for path in sorted(folder.glob("*.txt")) for phrase in _of(path)]


def _of(path: Path) -> Iterator[Phrase]:
    block = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            block += 1
        elif not line.startswith("#"):
            yield Phrase(line.strip(), path.stem, f"{path.stem}:{block}")


def fingerprint(folder: Path = HERE) -> str:
    """Return the SHA-256 of all that the model is made from: the phrase files and the lexicon, names and contents."""
    found = hashlib.sha256()
    for path in (*sorted(folder.glob("*.txt")), folder.with_name("lexicon.txt")):
        found.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return found.hexdigest()
