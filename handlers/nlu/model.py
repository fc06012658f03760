"""The fitted model: one hidden layer over sparse features, its probabilities calibrated. Needs only numpy."""

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
STEPS, CLIPPED, FEATURES = 7, 99.9, 100_000
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Model:
    """inner: int8 [features, hidden] times scale; the layer of intents [hidden, intents] holds the temperature."""

    intents: Sequence[str]
    index: Mapping[str, int]
    inner: NDArray[np.int8]
    scale: float
    inner_bias: Floats
    outer: Floats
    bias: Floats
    reader: Reader
    about: Mapping[str, Any]

    def probabilities(self, plain: str) -> Floats:
        """Return the calibrated probability of each intent for a normalised line; they add up to 1."""
        hidden, index = self.inner_bias.copy(), self.index
        for channel in self.reader.channels(plain):
            rows = [row for feature in channel if (row := index.get(feature)) is not None]
            if rows:
                hidden += self.inner[rows].sum(axis=0, dtype=np.int32) * np.float32(self.scale / len(channel) ** 0.5)
        total = np.maximum(hidden, 0) @ self.outer + self.bias
        raised = np.exp(total - total.max())
        return np.asarray(raised / raised.sum(), dtype=np.float32)

    def ranked(self, plain: str) -> list[tuple[str, float]]:
        """Return (intent, probability) of a normalised line, the likeliest first."""
        found = self.probabilities(plain)
        return [(self.intents[at], float(found[at])) for at in np.argsort(-found, kind="stable")]


def pack(
    intents: Sequence[str], features: Sequence[str], layers: Sequence[Floats], about: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    """Return the arrays of a model file; of the inner layer the strongest FEATURES rows, in steps of equal size."""
    inner, inner_bias, outer, bias = (np.asarray(layer, np.float32) for layer in layers)
    kept = np.sort(np.argsort(-np.linalg.norm(inner, axis=1), kind="stable")[:FEATURES])
    scale = max(float(np.percentile(np.abs(inner[kept]), CLIPPED)), 1e-9) / STEPS
    small = np.clip(np.round(inner[kept] / scale), -STEPS, STEPS).astype(np.int8)
    text = json.dumps({"intents": list(intents), "scale": scale, **about}, ensure_ascii=False, sort_keys=True)
    return {
        "inner": _halved(small), "inner_bias": inner_bias, "outer": outer, "bias": bias,
        "features": _bytes("\n".join(features[row] for row in kept)), "about": _bytes(text),
    }  # fmt: skip


def unpack(arrays: Mapping[str, NDArray[Any]]) -> Model:
    """Return the model of the arrays of a file."""
    about = json.loads(arrays["about"].tobytes().decode())
    features = arrays["features"].tobytes().decode().split("\n")
    reader = Reader(Words(about.pop("words")), frozenset(about.pop("ours")), frozenset(about.pop("plain")))
    index = {feature: row for row, feature in enumerate(features)}
    inner_bias, outer, bias = (arrays[name] for name in ("inner_bias", "outer", "bias"))
    inner = _whole(arrays["inner"])
    return Model(about["intents"], index, inner, about["scale"], inner_bias, outer, bias, reader, about)


def _halved(small: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return numbers of −STEPS … STEPS two to a byte: read as it lies, that is twice as fast as unpacking a zip."""
    risen = (small + STEPS).astype(np.uint8)
    return np.asarray(risen[:, 0::2] | (risen[:, 1::2] << 4), np.uint8)


def _whole(halved: NDArray[np.uint8]) -> NDArray[np.int8]:
    small = np.empty((len(halved), 2 * halved.shape[1]), np.int8)
    small[:, 0::2], small[:, 1::2] = halved & 15, halved >> 4
    small -= STEPS
    return small


def _bytes(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def save(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a model file; the same arrays make the same bytes."""
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **dict(arrays))


def load(path: Path = FILE) -> Model:
    """Return the model of a file."""
    with np.load(path, allow_pickle=False) as arrays:
        return unpack({name: arrays[name] for name in arrays.files})


@lru_cache(maxsize=1)
def loaded() -> Model:
    """Return the model that comes with the program, read once."""
    return load()
