"""The dictionary and the table of sounds, from jieba and pypinyin: at build time only."""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from tempfile import TemporaryDirectory
from typing import Any

import jieba
from pypinyin import lazy_pinyin

from handlers.grammar import vocabulary
from handlers.nlu import lexicon
from handlers.nlu.augment import AFTER, BEFORE, TOLD_AFTER, TOLD_BEFORE
from handlers.nlu.phrases import UNKNOWN, Phrase
from handlers.nlu.sounds import TABLE, sound_of
from handlers.reading import normalise

COMMON = 2_000
NOUN_SEEN, PLAIN_SEEN = 300, 200
TOPICAL = frozenset(("n", "nz", "ns", "nr", "vn", "v"))
TOPICLESS = frozenset(
    ("d", "p", "c", "r", "u", "m", "q", "t", "f", "y", "e", "o", "uj", "ul", "uz", "ug", "ud", "uv", "l", "i")
)
BLOCKS = 2
OWN_WORD = 5_000


@lru_cache(maxsize=1)
def _jieba() -> Any:
    """Return a tokenizer with its whole dictionary; its cache is nobody else's to write."""
    jieba.setLogLevel(logging.WARNING)
    tokenizer = jieba.Tokenizer()
    with TemporaryDirectory() as folder:
        tokenizer.tmp_dir = folder
        tokenizer.initialize()
    return tokenizer


def characters() -> list[str]:
    """Return the characters of GB 2312, the ones of everyday."""
    found = []
    for high in range(0xB0, 0xF8):
        for low in range(0xA1, 0xFF):
            try:
                found.append(bytes((high, low)).decode("gb2312"))
            except UnicodeDecodeError:
                continue
    return found


def sound_table(letters: Iterable[str]) -> str:
    """Return the lines of sounds.txt: a toneless syllable, a space, its characters."""
    by_syllable: defaultdict[str, list[str]] = defaultdict(list)
    for letter in sorted(set(letters)):
        syllable = lazy_pinyin(letter, errors="ignore")
        if syllable and syllable[0].isascii() and syllable[0].isalpha():
            by_syllable[syllable[0]].append(letter)
    return "".join(f"{syllable} {''.join(row)}\n" for syllable, row in sorted(by_syllable.items()))


def dictionary(phrases: Sequence[Phrase]) -> dict[str, int]:
    """Return {word: frequency} of the words of all phrases and of the grammar, as jieba knows them."""
    tokenizer = _jieba()
    own = {word for word in (*vocabulary(), *lexicon.words()) if len(word) > 1 and not word.isascii()}
    for word in sorted(own):
        tokenizer.add_word(word, max(tokenizer.FREQ.get(word) or 0, OWN_WORD))
    found: dict[str, int] = {}
    for text in (*(phrase.text for phrase in phrases), *TOLD_BEFORE, *TOLD_AFTER):
        for word in tokenizer.cut(normalise(text), HMM=False):
            if "\u4e00" <= word[0] <= "\u9fff":
                found[word] = tokenizer.FREQ.get(word) or 1
    return dict(
        sorted({**plain_words(), **found, **{word: tokenizer.FREQ.get(word) or OWN_WORD for word in own}}.items())
    )


def our_words(split: Iterable[tuple[Phrase, Sequence[str]]]) -> frozenset[str]:
    """Return the words of at least two patterns in scope: what people say who talk to a shop about membership."""
    blocks: defaultdict[str, set[str]] = defaultdict(set)
    for phrase, words in split:
        if phrase.intent != UNKNOWN:
            for word in words:
                blocks[word].add(phrase.block)
    return frozenset(word for word, seen in blocks.items() if len(seen) >= BLOCKS)


def story_words(split: Callable[[str], Sequence[str]]) -> frozenset[str]:
    """Return the words of the stories around a wish: as harmless as our own."""
    return frozenset(word for told in (*TOLD_BEFORE, *TOLD_AFTER, *BEFORE, *AFTER) for word in split(told))


def homophones(phrases: Sequence[Phrase]) -> Mapping[str, Sequence[str]]:
    """Return the commonest characters of each folded syllable, by jieba's frequencies."""
    tokenizer = _jieba()
    counts = Counter({letter: tokenizer.FREQ.get(letter, 0) for letter in characters()})
    counts.update(letter for phrase in phrases for letter in phrase.text)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for letter, _ in sorted(counts.most_common(COMMON)):
        if sound_of(letter):
            found[sound_of(letter)].append(letter)
    return found


def write_sounds(phrases: Sequence[Phrase]) -> None:
    """Write the table of sounds for everyday characters and those of the phrases."""
    letters = {*characters(), *(c for p in phrases for c in normalise(p.text) if "\u4e00" <= c <= "\u9fff")}
    TABLE.write_text(sound_table(letters), encoding="utf-8")


def plain_words() -> Mapping[str, int]:
    """Return {word: frequency} of the words that tell no topic: adverbs, pronouns, particles, numerals …"""
    return {word: many for word, many, kind in _listed() if kind in TOPICLESS and many >= PLAIN_SEEN and len(word) <= 4}


def _listed() -> Iterator[tuple[str, int, str]]:
    for line in jieba.get_dict_file().read().decode().splitlines():
        word, many, kind = line.split()
        yield word, int(many), kind


def nouns(ours: AbstractSet[str]) -> Sequence[str]:
    """Return everyday nouns and names of jieba's dictionary that nobody says to a shop."""
    known = {*ours, *lexicon.words()}
    return sorted(
        word for word, many, kind in _listed()
        if kind in TOPICAL and many >= NOUN_SEEN and 2 <= len(word) <= 4 and word not in known
    )  # fmt: skip
