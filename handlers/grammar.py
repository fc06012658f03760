"""Sentences made of known words only: the concepts in them give the intent, one foreign word gives none.

So 「我的积分还剩多少呀」 is understood and 「驾照积分还剩多少」 is not, without a list of all else people talk about.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

LONGEST = 40
SURE, UNSURE = 0.9, 0.6
# dropped one by one, in this order, while what is left means nothing together
SOFT = ("GREETING", "THANKS", "HOWTO", "HUMAN", "OWN", "WHERE", "WHEN", "RECENT", "SHOP")


def _lines(name: str) -> list[tuple[str, str]]:
    """Return the (head, rest) of each `head: rest` line of a file beside this one."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    pairs = (line.partition(":") for line in text.splitlines() if line and not line.startswith("#"))
    return [(head, rest) for head, _, rest in pairs]


@lru_cache(maxsize=1)
def vocabulary() -> Mapping[str, str]:
    """Return {word: concept, '' for a word without one}."""
    found: dict[str, str] = {}
    for concept, words in _lines("words.txt"):
        found |= dict.fromkeys(words.split(), concept.strip("-"))
    return MappingProxyType(found)


@lru_cache(maxsize=1)
def _meanings() -> Mapping[frozenset[str], str]:
    """Return {concepts: intent}."""
    sets = ((intent, many.split("|")) for intent, many in _lines("meanings.txt"))
    return MappingProxyType({frozenset(one.split()): intent for intent, many in sets for one in many})


@lru_cache(maxsize=1)
def _longest_word() -> int:
    return max(map(len, vocabulary()))


def concepts(squeezed: str) -> frozenset[str] | None:
    """Return the concepts of a squeezed text split into the fewest known words; None when it can't be split so."""
    if len(squeezed) > LONGEST:
        return None
    words, widest = vocabulary(), _longest_word()
    best: list[tuple[int, int, frozenset[str]] | None] = [(0, 0, frozenset())]
    for end in range(1, len(squeezed) + 1):
        choices = []
        for start in range(max(0, end - widest), end):
            before, concept = best[start], words.get(squeezed[start:end])
            if before is not None and concept is not None:
                many, plain, found = before
                choices.append((many + 1, plain + (0 if concept else end - start), found | {concept}))
        best.append(min(choices, key=lambda choice: choice[:2]) if choices else None)
    last = best[-1]
    return None if last is None else last[2] - {""}


def intent_of(squeezed: str, *, actions: frozenset[str]) -> tuple[str, float] | None:
    """Return (intent, confidence) of a sentence of known words; what changes something is never sure this way."""
    found = concepts(squeezed)
    if not found:
        return None
    for soft in (None, *SOFT):
        found -= {soft}
        intent = _meanings().get(found)
        if intent is not None:
            return intent, UNSURE if intent in actions else SURE
    return None
