"""The taxonomy: 50 groups of goods, each a habit or a family trait, found by plain words in category names.

recommend/taxonomy.csv has a line a group: its words (any of them, parted by |; Latin words match whole, plural or not),
hints (trait=weight, a leaning), proof (trait=chance that one purchase day means it) and stages (life stage=weight).
The first line with a word in the name takes the item. traits.csv: each trait's tag and expected share of members.
Weights and shares were written down from what the goods are for, not fitted to any shop. No line is about health.
"""

import re
from collections.abc import Sequence
from csv import DictReader
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np

from recommend.matrix import Codes, Labels
from recommend.visits import Figures

FOLDER = Path(__file__).parent


class BadTaxonomy(ValueError):
    """A line without a word, an unknown trait, or a weight that is no number; says in which group."""


@dataclass(frozen=True, slots=True)
class Group:
    """One group of goods; weights by the codes of traits and life stages."""

    code: str
    name: str
    habit: str
    words: tuple[str, ...]
    hints: dict[str, float]
    proof: dict[str, float]
    stages: dict[str, float]


@dataclass(frozen=True, slots=True)
class Trait:
    """A family trait: the tag a member carries, and the share of members who are expected to have it."""

    code: str
    tag: str
    prior: float


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """Groups in the order in which they are tried, and the traits they point to."""

    groups: tuple[Group, ...]
    traits: tuple[Trait, ...]
    version: str

    def codes_of(self, names: Sequence[str] | Labels) -> Codes:
        """Return the position in `groups` of each item, by what its category and type are called; −1 for none."""
        tried = [_pattern(group.words) for group in self.groups]
        known: dict[str, int] = {}
        for name in {str(name) for name in names}:
            known[name] = next((at for at, words in enumerate(tried) if words.search(name)), -1)
        return np.array([known[str(name)] for name in names], dtype=np.int32)

    def hints(self) -> Figures:
        """Return weights (groups × traits) of leaning."""
        return np.array([[group.hints.get(trait.code, 0.0) for trait in self.traits] for group in self.groups])

    def proof(self) -> Figures:
        """Return chances (groups × traits) that one purchase day means the trait."""
        return np.array([[group.proof.get(trait.code, 0.0) for trait in self.traits] for group in self.groups])

    def stages(self, codes: Sequence[str]) -> Figures:
        """Return weights (groups × life stages)."""
        return np.array([[group.stages.get(code, 0.0) for code in codes] for group in self.groups])

    def trait(self, code: str) -> int:
        """Return the position of a trait; BadTaxonomy for an unknown one."""
        found = [at for at, trait in enumerate(self.traits) if trait.code == code]
        if not found:
            raise BadTaxonomy(f"no trait {code}")
        return found[0]


@lru_cache(maxsize=4)
def load(groups: Path = FOLDER / "taxonomy.csv", traits: Path = FOLDER / "traits.csv") -> Taxonomy:
    """Return the taxonomy of two files; BadTaxonomy when a line can't be used."""
    with traits.open(encoding="utf-8", newline="") as file:
        known = tuple(_trait(row) for row in DictReader(file))
    with groups.open(encoding="utf-8", newline="") as file:
        found = tuple(_group(row, {trait.code for trait in known}) for row in DictReader(file))
    if not found or len({group.code for group in found}) != len(found):
        raise BadTaxonomy("no groups, or two of one code")
    content = groups.read_bytes() + traits.read_bytes()
    return Taxonomy(found, known, f"taxonomy-{sha256(content).hexdigest()[:8]}")


def _trait(row: dict[str, str]) -> Trait:
    prior = _number(row["trait"], row["prior"])
    if not 0 < prior < 1:
        raise BadTaxonomy(f"{row['trait']}: the share must be between 0 and 1")
    return Trait(row["trait"], row["tag"], prior)


def _group(row: dict[str, str], traits: set[str]) -> Group:
    code, words = row["group"], tuple(word.strip() for word in row["words"].split("|") if word.strip())
    hints, proof, stages = (_weights(code, row[name]) for name in ("hints", "proof", "stages"))
    if not words:
        raise BadTaxonomy(f"{code}: no words")
    if unknown := (set(hints) | set(proof)) - traits:
        raise BadTaxonomy(f"{code}: unknown trait {', '.join(sorted(unknown))}")
    if any(not 0 < chance < 1 for chance in proof.values()):
        raise BadTaxonomy(f"{code}: a chance must be between 0 and 1")
    return Group(code, row["name"], row["habit"], words, hints, proof, stages)


def _weights(code: str, text: str | None) -> dict[str, float]:
    parts = [part.partition("=") for part in (text or "").split()]
    return {name: _number(code, value) for name, _, value in parts}


def _number(where: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise BadTaxonomy(f"{where}: {text!r} is not a number") from error


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    parts = [rf"(?<![A-Z]){re.escape(word)}(?:E?S)?(?![A-Z])" if word.isascii() else re.escape(word) for word in words]
    return re.compile("|".join(parts), re.IGNORECASE)
