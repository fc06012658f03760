"""Words of a line: the likeliest split by the frequencies of a small dictionary that comes with the model.

The split is jieba's without its hidden Markov model; jieba itself (22 MB, 0.1 s and 73 MB, 1 s with its dictionary) is
asked at build time only, which words there are and how frequent (handlers/nlu/building.py).
"""

from collections.abc import Mapping
from math import log

LONGEST = 8


class Words:
    """A dictionary {word: frequency} that splits lines."""

    def __init__(self, frequencies: Mapping[str, int]) -> None:
        total = log(max(1, sum(frequencies.values())))
        self._chance = {word: log(max(1, many)) - total for word, many in frequencies.items()}
        self._least = -total

    def split(self, text: str) -> list[str]:
        """Return the words of a text, single characters where there is none; linear in its length."""
        chance, least = self._chance, self._least
        best, start_of = [0.0], [0]
        for end in range(1, len(text) + 1):
            top, begin = best[end - 1] + chance.get(text[end - 1], least), end - 1
            for start in range(max(0, end - LONGEST), end - 1):
                found = chance.get(text[start:end])
                if found is not None and best[start] + found > top:
                    top, begin = best[start] + found, start
            best.append(top)
            start_of.append(begin)
        words, end = [], len(text)
        while end:
            words.append(text[start_of[end] : end])
            end = start_of[end]
        return words[::-1]
