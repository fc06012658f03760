"""A shop's own phrases (config.yaml, understanding.phrases): meant exactly as written, or nearly so."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import field_validator
from rapidfuzz import fuzz, process

from handlers.nlu.sounds import sounds
from handlers.reading import normalise, squeeze
from members.rules import Section

NEARLY = 84.0
SHORTEST = 4


class UnderstandingRules(Section):
    """What this shop's people say for an intent, beside what everybody says."""

    phrases: dict[str, list[str]] = {}

    @field_validator("phrases")
    @classmethod
    def _said(cls, phrases: dict[str, list[str]]) -> dict[str, list[str]]:
        for intent, texts in phrases.items():
            if bad := [text for text in texts if not squeeze(text)]:
                raise ValueError(f"{intent} 里有一句是空的:{bad[0]!r}")
        return phrases


class Own:
    """The phrases of one shop, ready to be compared with."""

    def __init__(self, phrases: Mapping[str, Sequence[str]] | None = None) -> None:
        pairs = [(text, intent) for intent, texts in (phrases or {}).items() for text in texts]
        self._exact = {squeeze(text): intent for text, intent in pairs}
        self._sound = {_spoken(text): intent for text, intent in pairs}

    def exact(self, squeezed: str) -> str | None:
        """Return the intent of a squeezed text that is one of the phrases."""
        return self._exact.get(squeezed)

    def nearly(self, squeezed: str) -> str | None:
        """Return the intent of a squeezed text that sounds like a phrase or differs from one in a character or two."""
        if not self._exact or len(squeezed) < SHORTEST:
            return None
        if (alike := self._sound.get(_spoken(squeezed))) is not None:
            return alike
        best = process.extractOne(squeezed, self._exact.keys(), scorer=fuzz.ratio, score_cutoff=NEARLY)
        return None if best is None else self._exact[best[0]]


def _spoken(text: str) -> str:
    return " ".join(sounds(normalise(text)))


def unknown_intents(phrases: Mapping[str, Sequence[str]], intents: Iterable[str]) -> Iterator[str]:
    """Yield the names that are no intents."""
    known = set(intents)
    return (name for name in phrases if name not in known)


def twice(phrases: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str, str]]:
    """Yield (intent, text, other intent) of every phrase that is written for two intents."""
    seen: dict[str, str] = {}
    for intent, texts in phrases.items():
        for text in texts:
            other = seen.setdefault(squeeze(text), intent)
            if other != intent:
                yield intent, text, other
