"""The fitted model: a linear one over sparse features, its probabilities calibrated. Needs numpy, no scikit-learn."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlers.nlu.features import Reader
from handlers.nlu.words import Words

FILE = Path(__file__).with_name("model.npz")
STEPS = 127
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Model:
    """weights: int8 [features, intents], scale float32 [intents], bias float32 [intents] (temperature within both)."""

    intents: Sequence[str]
    index: Mapping[str, int]
    weights: NDArray[np.int8]
    scale: Floats
    bias: Floats
    reader: Reader
    about: Mapping[str, Any]

    def probabilities(self, plain: str) -> Floats:
        """Return the calibrated probability of each intent for a normalised line; they add up to 1."""
        total, index = self.bias.copy(), self.index
        for channel in self.reader.channels(plain):
            rows = [row for feature in channel if (row := index.get(feature)) is not None]
            if rows:
                total += self.weights[rows].sum(axis=0, dtype=np.int32) * (self.scale / len(channel) ** 0.5)
        raised = np.exp(total - total.max())
        return np.asarray(raised / raised.sum(), dtype=np.float32)

    def ranked(self, plain: str) -> list[tuple[str, float]]:
        """Return (intent, probability) of a normalised line, the likeliest first."""
        found = self.probabilities(plain)
        return [(self.intents[at], float(found[at])) for at in np.argsort(-found, kind="stable")]


def pack(
    intents: Sequence[str], features: Sequence[str], weights: Floats, bias: Floats, about: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    """Return the arrays of a model file; weights [features, intents] are rounded to 127 steps a side per intent."""
    scale = np.maximum(np.abs(weights).max(axis=0), 1e-9) / STEPS
    small = np.round(weights / scale).astype(np.int8)
    text = json.dumps({"intents": list(intents), **about}, ensure_ascii=False, sort_keys=True)
    return {
        "weights": small, "scale": scale.astype(np.float32), "bias": bias.astype(np.float32),
        "features": _bytes("\n".join(features)), "about": _bytes(text),
    }  # fmt: skip


def unpack(arrays: Mapping[str, NDArray[Any]]) -> Model:
    """Return the model of the arrays of a file."""
    about = json.loads(arrays["about"].tobytes().decode())
    features = arrays["features"].tobytes().decode().split("\n")
    reader = Reader(Words(about.pop("words")), frozenset(about.pop("ours")), frozenset(about.pop("plain")))
    index = {feature: row for row, feature in enumerate(features)}
    return Model(about["intents"], index, arrays["weights"], arrays["scale"], arrays["bias"], reader, about)


def _bytes(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def save(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a model file; the same arrays make the same bytes."""
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **dict(arrays))


def load(path: Path = FILE) -> Model:
    """Return the model of a file."""
    with np.load(path, allow_pickle=False) as arrays:
        return unpack({name: arrays[name] for name in arrays.files})


@lru_cache(maxsize=1)
def loaded() -> Model:
    """Return the model that comes with the program, read once."""
    return load()
