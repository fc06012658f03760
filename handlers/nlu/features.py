"""What the model sees of a line: n-grams of characters, of words (strange ones masked) and of sounds."""

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain

from handlers.nlu import lexicon
from handlers.nlu.sounds import sounds
from handlers.nlu.words import Words
from handlers.reading import PHONE

STRANGE, PLAIN = "?", "~"
MOST = 80
_PLAIN = re.compile(r"[a-z]+|[^\W_]")
_DIGITS = re.compile(r"\d+")
_SIX, _FEW = 6, 2
Channels = Sequence[Sequence[str]]


def masked(plain: str) -> str:
    """Return a normalised line with a phone and other numbers each as one sign."""
    return _DIGITS.sub(_digits, PHONE.sub("9", plain))[:MOST]


def _digits(run: re.Match[str]) -> str:
    return "9" if run[0] == "9" else "6" if len(run[0]) == _SIX else "0" if len(run[0]) <= _FEW else "1"


def _pairs(concepts: Sequence[str], mark: str) -> list[str]:
    """Return the concepts of a line one by one and two by two, whatever their order."""
    several = sorted(set(concepts))
    return [f"{mark}{one}" for one in several] + [
        f"{mark}{one}+{other}" for at, one in enumerate(several) for other in several[at + 1 :]
    ]


def _grams(tokens: Sequence[str], widths: Iterable[int], mark: str) -> list[str]:
    fenced = ["^", *tokens, "$"]
    return [
        mark + "|".join(fenced[start : start + width]) for width in widths for start in range(len(fenced) - width + 1)
    ]


class Reader:
    """Turns normalised lines into features.

    `ours` are the words people use when they talk to a shop, `plain` those that tell no topic; any other is strange.
    """

    def __init__(self, words: Words, ours: AbstractSet[str], plain: AbstractSet[str]) -> None:
        self._words, self._ours, self._plain = words, ours, plain

    def split(self, plain: str) -> list[str]:
        """Return the words of a normalised line; Latin words stay whole, signs and spaces separate."""
        pieces = re.findall(r"[a-z]+|\d+|[^\W\d_a-z]+", masked(plain))
        return list(chain.from_iterable([p] if p.isascii() else self._words.split(p) for p in pieces))

    def channels(self, plain: str) -> Channels:
        """Return the features of a normalised line, each channel by itself."""
        signs = masked(plain)
        letters = _PLAIN.findall(signs)
        words = self.split(plain)
        veiled = [self._veiled(word) for word in words]
        meant, heard = lexicon.written(words), lexicon.heard(plain)
        strange, bare = (
            sum(len(word) for word, seen in zip(words, veiled, strict=True) if seen == veil)
            for veil in (STRANGE, PLAIN)
        )
        return (
            _grams(letters, (1, 2, 3), "c"),
            _grams(veiled, (1, 2), "w"),
            _grams(sounds(signs), (1, 2, 3), "s"),
            _pairs(meant, "k"),
            _pairs(heard, "h"),
            [f"{concept}x{min(strange, 4)}y{min(bare, 3)}" for concept in sorted({*meant, *heard})],
            _shape(len(letters), strange, bare, len(set(meant) | set(heard))),
        )

    def _veiled(self, word: str) -> str:
        if word in self._ours or not _han(word):
            return word
        return PLAIN if word in self._plain else STRANGE


def _shape(length: int, strange: int, plain: int, concepts: int) -> list[str]:
    long, known, odd = min(length, 20) // 3, min(concepts, 4), min(strange, 6)
    share = int(4 * strange / max(1, length))
    return [
        f"n{long}", f"x{odd}", f"y{min(plain, 6)}", f"r{share}", f"k{known}", f"k{known}n{long}", f"n{long}x{odd}",
        f"n{long}y{min(plain, 4)}",
    ]  # fmt: skip


def _han(word: str) -> bool:
    return "\u4e00" <= word[0] <= "\u9fff"
