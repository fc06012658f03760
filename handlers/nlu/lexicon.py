"""Concepts: words that mean the same here, in any script, by their characters or by their sound."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from handlers import grammar
from handlers.nlu.sounds import sound_of, sounds

FILE = Path(__file__).with_name("lexicon.txt")
WIDEST = 6


@lru_cache(maxsize=1)
def words() -> Mapping[str, tuple[str, ...]]:
    """Return {word: concepts}; the words of an English phrase are joined by `_`."""
    found = {word: (concept,) for word, concept in grammar.vocabulary().items() if concept}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        concept, colon, listed = line.partition(":")
        if colon and not line.startswith("#"):
            for word in listed.split():
                found[word] = tuple(dict.fromkeys((*found.get(word, ()), concept)))
    return MappingProxyType(found)


@lru_cache(maxsize=1)
def _spoken() -> Mapping[tuple[str, ...], tuple[str, ...]]:
    """Return {folded syllables: concepts} of the Chinese words of two characters or more."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for word, concepts in words().items():
        if len(word) >= 2 and not word.isascii():
            key = tuple(sound_of(character) for character in word)
            found[key] = tuple(dict.fromkeys((*found.get(key, ()), *concepts)))
    return MappingProxyType(found)


@lru_cache(maxsize=1)
def _foreign() -> re.Pattern[str]:
    named = sorted((word for word, concepts in words().items() if "FOREIGN" in concepts), key=len, reverse=True)
    return re.compile("|".join(rf"(?<![a-z0-9]){word}(?![a-z0-9])" if word.isascii() else word for word in named))


def is_foreign(plain: str) -> bool:
    """Tell whether a line names somebody else's account, card, shop or service."""
    return _foreign().search(plain) is not None


def written(tokens: Sequence[str]) -> list[str]:
    """Return the concepts of the words of a line, in order; Latin words also two or three together."""
    known, found, at = words(), list[str](), 0
    while at < len(tokens):
        for width in (3, 2, 1):
            concepts = known.get("_".join(tokens[at : at + width]))
            if concepts:
                found += concepts
                at += width
                break
        else:
            at += 1
    return found


def heard(plain: str) -> list[str]:
    """Return the concepts that the syllables of a line sound like, the longest words first, in order."""
    syllables, known, found, at = sounds(plain), _spoken(), list[str](), 0
    while at < len(syllables):
        for width in range(WIDEST, 1, -1):
            concepts = known.get(tuple(syllables[at : at + width]))
            if concepts:
                found += concepts
                at += width
                break
        else:
            at += 1
    return found
