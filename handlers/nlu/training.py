"""Fit the model to the phrases: `python3 -m handlers.nlu.training` (scikit-learn, jieba and pypinyin, at build time).

The temperature comes from whole patterns left out of the fit, so that a probability means how often it is right.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix
from sklearn.model_selection import StratifiedGroupKFold

from handlers.nlu import building, lexicon, model, network, phrases
from handlers.nlu.augment import WEIGHTS, Varied, beside, denied, elsewhere
from handlers.nlu.features import Channels, Reader
from handlers.nlu.network import Network
from handlers.nlu.phrases import Phrase
from handlers.nlu.words import Words
from handlers.reading import normalise

FOLDS = 3
LEAST_SEEN = 3
SEED = 20260302
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """One line to learn from: its features by channel, its phrase, how it was varied."""

    channels: Channels
    phrase: Phrase
    kind: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """A network in full precision, its intents, and the row of each feature."""

    intents: Sequence[str]
    features: Mapping[str, int]
    network: Network

    def logits(self, samples: Sequence[Sample]) -> Floats:
        """Return [samples, intents]."""
        return np.asarray(self.network.logits(_matrix(samples, self.features)), np.float64)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What words there are: {word: frequency}, those of at least two patterns in scope, those that tell no topic."""

    frequencies: Mapping[str, int]
    ours: AbstractSet[str]
    plain: AbstractSet[str]

    @property
    def reader(self) -> Reader:
        """Return a reader that knows these words."""
        return Reader(Words(self.frequencies), self.ours, self.plain)


def samples_of(written: Sequence[Phrase], known: Lexicon) -> list[Sample]:
    """Return every phrase and its variations; a deed denied and the same sentence about something else are not ours."""
    found, varied, reader = [], Varied(building.homophones(written)), known.reader
    nouns = building.nouns(known.ours)
    for phrase in written:
        plain = normalise(phrase.text)
        found += [Sample(reader.channels(text), phrase, kind) for kind, text in varied.of(plain)]
        foreign = replace(phrase, intent=phrases.UNKNOWN)
        if (not_wanted := denied(plain, phrase.intent)) is not None:
            found.append(Sample(reader.channels(not_wanted), foreign, "denied"))
        if (other := elsewhere(reader.split(plain), phrase.intent, nouns)) is not None:
            found.append(Sample(reader.channels(other), foreign, "other"))
    strangers = (Phrase(text, phrases.UNKNOWN, "beside") for text in beside(nouns))
    return found + [Sample(reader.channels(stranger.text), stranger, "beside") for stranger in strangers]


def lexicon_of(written: Sequence[Phrase]) -> Lexicon:
    """Return the words of these phrases: how frequent, which are ours, which tell no topic."""
    frequencies = building.dictionary(written)
    bare = Reader(Words(frequencies), frozenset(), frozenset())
    ours = building.our_words([(phrase, bare.split(normalise(phrase.text))) for phrase in written])
    foreign = {word for word, concepts in lexicon.words().items() if {"FOREIGN", "ELSEWHERE", "GOODS"} & {*concepts}}
    plain = building.story_words(bare.split) | building.plain_words().keys() | lexicon.words().keys()
    return Lexicon(frequencies, ours, (plain & frequencies.keys()) - foreign - ours)


def _matrix(samples: Sequence[Sample], features: Mapping[str, int]) -> Any:
    rows, columns, values = [], [], []
    for row, sample in enumerate(samples):
        for channel in sample.channels:
            value = len(channel) ** -0.5 if channel else 0.0
            found = [features[feature] for feature in channel if feature in features]
            rows += [row] * len(found)
            columns += found
            values += [value] * len(found)
    return csr_matrix((np.array(values, np.float32), (rows, columns)), shape=(len(samples), len(features)))


def _seen(samples: Iterable[Sample]) -> dict[str, int]:
    phrases: defaultdict[str, set[str]] = defaultdict(set)
    for sample in samples:
        for channel in sample.channels:
            for feature in channel:
                phrases[feature].add(sample.phrase.text)
    kept = sorted(feature for feature, texts in phrases.items() if len(texts) >= LEAST_SEEN)
    return {feature: column for column, feature in enumerate(kept)}


def fit(samples: Sequence[Sample]) -> Fitted:
    """Fit one model."""
    features = _seen(samples)
    intents = sorted({sample.phrase.intent for sample in samples})
    order = {intent: column for column, intent in enumerate(intents)}
    right = np.array([order[sample.phrase.intent] for sample in samples])
    weights = [WEIGHTS[sample.kind] for sample in samples]
    return Fitted(intents, features, network.fit(_matrix(samples, features), right, weights, len(intents), SEED))


def held_out(samples: Sequence[Sample]) -> list[tuple[Fitted, list[Sample]]]:
    """Return models that have not seen some patterns, each with the phrases (as written) of those."""
    labels = [sample.phrase.intent for sample in samples]
    blocks = [sample.phrase.block for sample in samples]
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    found = []
    for seen, left in splitter.split(np.zeros(len(samples)), labels, blocks):
        plain = [samples[at] for at in left if samples[at].kind == "as"]
        found.append((fit([samples[at] for at in seen]), plain))
    return found


def temperature(logits: Floats, right: NDArray[np.intp]) -> float:
    """Return by what to divide logits [lines, intents] so that the log loss of the right intents is least."""

    def loss(divisor: float) -> float:
        scaled = logits / divisor
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        chances = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return float(-chances[np.arange(len(right)), right].mean())

    return float(minimize_scalar(loss, bounds=(0.2, 5.0), method="bounded").x)


def main(target: Path = model.FILE) -> None:
    """Fit, calibrate, write the model and print how it did on the patterns it had not seen."""
    from handlers.nlu.report import of_folds

    written = phrases.read()
    building.write_sounds(written)
    known = lexicon_of(written)
    samples = samples_of(written, known)
    folds = held_out(samples)
    whole = fit(samples)
    logits = np.concatenate([_aligned(fitted, plain, whole.intents) for fitted, plain in folds])
    order = {intent: column for column, intent in enumerate(whole.intents)}
    right = np.array([order[sample.phrase.intent] for _, plain in folds for sample in plain])
    divisor = temperature(logits, right)
    about = {
        "sha256": phrases.fingerprint(), "temperature": round(divisor, 4), "phrases": len(written),
        "words": dict(known.frequencies), "ours": sorted(known.ours), "plain": sorted(known.plain),
    }  # fmt: skip
    fitted = whole.network
    layers = (fitted.inner, fitted.inner_bias, fitted.outer / divisor, fitted.bias / divisor)
    model.save(target, model.pack(whole.intents, list(whole.features), layers, about))
    sys.stdout.write(of_folds(logits / divisor, right, whole.intents, [s for _, plain in folds for s in plain]))


def _aligned(fitted: Fitted, plain: Sequence[Sample], intents: Sequence[str]) -> Floats:
    """Return a fold's logits with a column for each intent of the whole."""
    found = np.full((len(plain), len(intents)), -20.0)
    found[:, [list(intents).index(intent) for intent in fitted.intents]] = fitted.logits(plain)
    return found


if __name__ == "__main__":
    main()
