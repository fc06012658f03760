"""Discrete hazards: the chance that a wait ends in a span of days when it has not ended before, one logistic each.

h_b = σ(w_b · z + c_b) for the days [EDGES[b], EDGES[b+1]); the chance to wait at least d days is S(d) = Π(1 − h).
Inside a span the hazard follows weights per weekday: S(d) = S(a) · (1 − h)^(share of the weights in [a, d)).
Discrete-time hazards by logistic regression: Singer & Willett, 1993.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recommend.matrix import BadPurchases

Column = NDArray[Any]
EDGES = (0, 1, 8, 15, 29, 57, 92)
HORIZON = EDGES[-1]
FAR = 5.0
RIDGE = 20.0
FEWEST = 30


class TooFew(BadPurchases):
    """Too few purchases to learn hazards from."""


@dataclass(frozen=True, slots=True)
class Hazards:
    """Fitted spans: `edges` (spans + 1), `weights` spans × columns, `offset` per span, scaling of the columns."""

    edges: Column
    weights: NDArray[np.float32]
    offset: NDArray[np.float32]
    centre: NDArray[np.float32]
    scale: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Raise BadPurchases when shapes don't fit or a number isn't finite."""
        spans, columns = self.weights.shape
        if len(self.edges) != spans + 1 or len(self.offset) != spans or len(self.centre) != columns:
            raise BadPurchases("hazards of different shapes")
        if not all(np.isfinite(values).all() for values in (self.weights, self.offset, self.centre, self.scale)):
            raise BadPurchases("hazards are not finite")

    @classmethod
    def fit(cls, columns: NDArray[np.float32], wait: Column, followed: Column) -> Self:
        """Fit on rows: `wait` days until the purchase, `followed` days of observation (a wait beyond is unknown).

        Spans without enough purchases to learn from end the horizon; TooFew when not even the first week has.
        """
        if not np.isfinite(columns).all():
            raise BadPurchases("columns have missing values (NaN)")
        centre, scale = columns.mean(axis=0), columns.std(axis=0)
        scale[scale < 1e-6] = 1.0
        scaled = _scaled(columns, centre, scale)
        weights, offset = [], []
        for begin, end in pairwise(EDGES):
            rows = np.flatnonzero((wait >= begin) & (followed >= end))
            ended = wait[rows] < end
            if min(int(ended.sum()), int((~ended).sum())) < FEWEST:
                break
            found = _logistic(scaled[rows], ended)
            weights.append(found[:-1])
            offset.append(found[-1])
        if len(weights) < 2:
            raise TooFew(f"too little history: the first week needs {FEWEST} purchases of pairs bought before")
        edges = np.array(EDGES[: len(weights) + 1])
        return cls(edges, np.array(weights, np.float32), np.array(offset, np.float32), centre, scale)

    def chances(self, columns: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return rows × spans: the chance that the wait ends in each span if it lasts until its beginning."""
        scores = _scaled(columns, self.centre, self.scale) @ self.weights.T + self.offset
        return np.asarray(1 / (1 + np.exp(-np.clip(scores, -30, 30))), dtype=np.float32)

    def arrays(self) -> Mapping[str, Column]:
        """Return what `Hazards(**arrays)` takes, to be stored."""
        names = ("edges", "weights", "offset", "centre", "scale")
        return {name: np.asarray(getattr(self, name)) for name in names}


def survival(edges: Column, chances: Column, weekday: Column) -> NDArray[np.float32]:
    """Return rows × (horizon + 1): the chance to wait at least 0, 1, … days.

    `weekday` is rows × 7 positive weights of the days 0 … 6 from now; the week repeats.
    """
    horizon = int(edges[-1])
    found = np.ones((len(chances), horizon + 1), dtype=np.float32)
    weights = weekday[:, np.arange(horizon) % weekday.shape[1]]
    for span, (begin, end) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        shares = np.cumsum(weights[:, begin:end], axis=1)
        shares /= shares[:, -1:]
        staying = np.log1p(-np.minimum(chances[:, span : span + 1], 0.999999))
        found[:, begin + 1 : end + 1] = found[:, begin : begin + 1] * np.exp(shares * staying)
    return found


def middle(surviving: Column) -> NDArray[np.int32]:
    """Return the median wait in whole days of those that end within the horizon."""
    ended = 1 - surviving[:, 1:]
    return np.asarray((ended < ended[:, -1:] / 2).sum(axis=1), dtype=np.int32)


def _scaled(columns: Column, centre: Column, scale: Column) -> NDArray[np.float32]:
    return np.asarray(np.clip((columns - centre) / scale, -FAR, FAR), dtype=np.float32)


def _logistic(columns: NDArray[np.float32], ended: Column) -> NDArray[np.float32]:
    """Return the weights and, last, the offset of a ridge logistic regression."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / RIDGE, solver="newton-cholesky", max_iter=30, tol=1e-3)
    model.fit(columns, ended)
    return np.append(model.coef_[0], model.intercept_[0]).astype(np.float32)
