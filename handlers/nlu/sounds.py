"""How a line sounds: toneless syllables of its characters, and of what was typed in Latin letters.

So 积芬, jifen and 積分 read alike. sounds.txt (syllable, its characters) is made by handlers/nlu/building.py.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

TABLE = Path(__file__).with_name("sounds.txt")
MOST_LETTERS = 60
LONGEST = 6
_TOKEN = re.compile(r"[a-z]+|\d+|[\u4e00-\u9fff]")
# what many ears and input methods do not tell apart
_FOLDED = re.compile(r"^(z|c|s)h")
_NASAL = re.compile(r"(?<=[aei])ng$")


@lru_cache(maxsize=1)
def _table() -> Mapping[str, str]:
    """Return {character: syllable}."""
    rows = (line.split(" ", 1) for line in TABLE.read_text(encoding="utf-8").splitlines() if line)
    return MappingProxyType({character: syllable for syllable, characters in rows for character in characters})


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(_table().values())


def fold(syllable: str) -> str:
    """Return a syllable without what dialects and hasty fingers confuse: zh/z, ch/c, sh/s, ang/an, eng/en, ing/in."""
    return _NASAL.sub("n", _FOLDED.sub(r"\1", syllable))


def sound_of(character: str) -> str:
    """Return the folded syllable of a character, '' when it has none here."""
    return fold(_table().get(character, ""))


@lru_cache(maxsize=4096)
def syllables_of(letters: str) -> tuple[str, ...] | None:
    """Return the fewest syllables that Latin letters spell, None when they spell none."""
    if len(letters) > MOST_LETTERS:
        return None
    best: list[tuple[str, ...] | None] = [()]
    for end in range(1, len(letters) + 1):
        choices = [
            (*before, letters[start:end])
            for start in range(max(0, end - LONGEST), end)
            if (before := best[start]) is not None and letters[start:end] in _known()
        ]
        best.append(min(choices, key=len) if choices else None)
    return best[-1]


def sounds(plain: str) -> list[str]:
    """Return the folded syllables of a normalised line; words that are no pinyin stay, digits are one sign."""
    found: list[str] = []
    for token in _TOKEN.findall(plain):
        if token.isdigit():
            found.append("0")
        elif token.isascii():
            spelt = syllables_of(token)
            found += [token] if spelt is None else map(fold, spelt)
        else:
            found.append(sound_of(token) or token)
    return found
