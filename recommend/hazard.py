"""Discrete hazards: the chance that a wait ends in a span of days when it has not ended before, one logistic each.

h_b = σ(w_b · z + u_b · r_b + c_b) for the days [EDGES[b], EDGES[b+1]); r_b are a plain renewal model's log odds, so
that with w drawn to zero that model is left, calibrated. The chance to wait at least d days is S(d) = Π(1 − h).
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
RIDGES = (20.0, 200.0, 2_000.0)
LOOSE = 10.0
"""How many times the scale of other columns r_b has, so that the ridge hardly draws u_b."""
FEWEST = 30


class TooFew(BadPurchases):
    """Too few purchases to learn hazards from."""


@dataclass(frozen=True, slots=True)
class Hazards:
    """Fitted spans: `edges` (spans + 1), `weights` spans × columns, `offset` and `usual` (u_b) per span, scaling."""

    edges: Column
    weights: NDArray[np.float32]
    offset: NDArray[np.float32]
    usual: NDArray[np.float32]
    centre: NDArray[np.float32]
    scale: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Raise BadPurchases when shapes don't fit or a number isn't finite."""
        spans, columns = self.weights.shape
        if (
            len(self.edges) != spans + 1
            or {len(self.offset), len(self.usual)} != {spans}
            or len(self.centre) != columns
        ):
            raise BadPurchases("hazards of different shapes")
        figures = self.weights, self.offset, self.usual, self.centre, self.scale
        if not all(np.isfinite(values).all() for values in figures):
            raise BadPurchases("hazards are not finite")

    @classmethod
    def fit(
        cls, columns: NDArray[np.float32], usual: NDArray[np.float32], wait: Column, followed: Column,
        ridge: float = RIDGES[0],
    ) -> Self:  # fmt: skip
        """Fit on rows: `wait` days until the purchase, `followed` days of observation (a wait beyond is unknown).

        `usual`: rows × spans, from `usual_odds`; `ridge`: how strongly the columns' weights are drawn to zero.
        Spans without enough purchases to learn from end the horizon; TooFew when not even the first week has.
        """
        if not (np.isfinite(columns).all() and np.isfinite(usual).all()):
            raise BadPurchases("columns have missing values (NaN)")
        centre, scale = columns.mean(axis=0), columns.std(axis=0)
        scale[scale < 1e-6] = 1.0
        scaled = _scaled(columns, centre, scale)
        found: list[Column] = []
        for span, (begin, end) in enumerate(pairwise(EDGES)):
            rows = np.flatnonzero((wait >= begin) & (followed >= end))
            ended = wait[rows] < end
            if min(int(ended.sum()), int((~ended).sum())) < FEWEST:
                break
            found.append(_logistic(np.column_stack([scaled[rows], LOOSE * usual[rows, span]]), ended, ridge))
        if len(found) < 2:
            raise TooFew(f"too little history: the first week needs {FEWEST} purchases of pairs bought before")
        every = np.array(found, dtype=np.float32)
        return cls(np.array(EDGES[: len(found) + 1]), every[:, :-2], every[:, -1], LOOSE * every[:, -2], centre, scale)

    def chances(self, columns: NDArray[np.float32], usual: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return rows × spans: the chance that the wait ends in each span if it lasts until its beginning."""
        scores = _scaled(columns, self.centre, self.scale) @ self.weights.T + self.offset
        scores += usual[:, : len(self.usual)] * self.usual
        return np.asarray(1 / (1 + np.exp(-np.clip(scores, -30, 30))), dtype=np.float32)

    def arrays(self) -> Mapping[str, Column]:
        """Return what `Hazards(**arrays)` takes, to be stored."""
        names = ("edges", "weights", "offset", "usual", "centre", "scale")
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


def usual_odds(surviving: Column) -> NDArray[np.float32]:
    """Return rows × spans: log odds that a wait with these chances to last ends in a span once it is there."""
    lasts = np.clip(surviving[:, list(EDGES)], 1e-6, 1)
    ends = np.clip(1 - lasts[:, 1:] / lasts[:, :-1], 1e-4, 1 - 1e-4)
    return np.asarray(np.log(ends / (1 - ends)), dtype=np.float32)


def _logistic(columns: NDArray[np.float32], ended: Column, ridge: float) -> NDArray[np.float32]:
    """Return the weights and, last, the offset of a ridge logistic regression; in single precision it is ill-posed."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / ridge, solver="newton-cholesky", max_iter=30, tol=1e-3)
    model.fit(columns.astype(np.float64), ended)
    return np.append(model.coef_[0], model.intercept_[0]).astype(np.float32)
