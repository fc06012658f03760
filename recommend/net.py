"""A small neural network beside the forests: it ranks nearly as well and errs elsewhere, so their mean ranks better.

Each column goes in as its place among the column's quantiles, with a flag where it is unknown. scikit-learn fits it and
is imported only then; asking is numpy.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommend.one_thread import one_thread
from recommend.ranking_history import Floats

HIDDEN = (32, 16)
EPOCHS, BATCH, STEP, SHRINK = 6, 512, 3e-3, 1e-4
QUANTILES = 100
SPREAD = np.float32(3.4)
"""Places among quantiles, −½ … ½, times this have about unit variance."""
SURE = 1e-6


@dataclass(frozen=True, slots=True)
class Net:
    """A fitted network: quantiles of the columns one after another, where each ends, and the layers' weights."""

    quantiles: Floats
    ends: NDArray[np.int64]
    into: Floats
    into_bias: Floats
    through: Floats
    through_bias: Floats
    out: Floats
    out_bias: Floats

    def log_odds(self, rows: Floats) -> Floats:
        """Return the log odds per row of the columns it was fitted on."""
        return self.of_inputs(inputs(rows, self.quantiles, self.ends))

    def of_inputs(self, given: Floats) -> Floats:
        """Return the log odds of rows made ready by `inputs` with these quantiles."""
        first = np.maximum(given @ self.into + self.into_bias, 0)
        second = np.maximum(first @ self.through + self.through_bias, 0)
        return np.asarray((second @ self.out + self.out_bias).ravel(), dtype=np.float32)


def inputs(rows: Floats, quantiles: Floats, ends: NDArray[np.int64]) -> Floats:
    """Return rows × twice the columns: places among the quantiles (0 where unknown), then whether it is unknown."""
    found = np.empty((2 * len(ends), len(rows)), dtype=np.float32)
    for place, limits in enumerate(np.split(quantiles, ends[:-1])):
        column = np.ascontiguousarray(rows[:, place])
        unknown = np.isnan(column)
        share = np.searchsorted(limits, column, "right") / np.float32(max(1, len(limits)))
        found[place] = np.where(unknown, 0, (share - np.float32(0.5)) * SPREAD)
        found[len(ends) + place] = unknown
    return found.T


def quantiles_of(rows: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return the quantiles of each column one after another, repeated ones once, and where each column's end."""
    parts = []
    for column in rows.T:
        known = column[~np.isnan(column)]
        parts.append(np.unique(np.quantile(known, np.linspace(0, 1, QUANTILES)) if len(known) else np.zeros(1)))
    return np.concatenate(parts).astype(np.float32), np.cumsum([len(part) for part in parts])


def fit_net(
    rows: Floats, bought: NDArray[np.bool_], weight: Floats, seed: int, quantiles: Floats, ends: NDArray[np.int64]
) -> Net:  # fmt: skip
    """Fit on candidate rows; finite or NaN columns, both outcomes needed. The same seed gives the same network."""
    from sklearn.neural_network import MLPClassifier

    given: Any = inputs(rows, quantiles, ends)
    model = MLPClassifier(
        HIDDEN, max_iter=EPOCHS, learning_rate_init=STEP, batch_size=min(BATCH, len(rows)), alpha=SHRINK,
        random_state=seed, n_iter_no_change=EPOCHS,
    )  # fmt: skip
    with one_thread(), _quiet():
        model.fit(given, bought, sample_weight=weight / weight.mean())
    layers = [part for pair in zip(model.coefs_, model.intercepts_, strict=True) for part in pair]
    return Net(quantiles, ends, *(np.asarray(layer, dtype=np.float32) for layer in layers))


def _quiet() -> Any:
    from warnings import catch_warnings

    from sklearn.exceptions import ConvergenceWarning

    return catch_warnings(action="ignore", category=ConvergenceWarning)
