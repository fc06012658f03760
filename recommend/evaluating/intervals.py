"""Paired 95% intervals by bootstrap: members are drawn whole, with replacement (Efron & Tibshirani 1993)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Figures = NDArray[np.float64]
Range = tuple[float, float]
DRAWS, CHUNK, SEED = 2000, 100, 5


def of_ratios(
    one: tuple[ArrayLike, ArrayLike], other: tuple[ArrayLike, ArrayLike], draws: int = DRAWS, seed: int = SEED
) -> Range:
    """Return the interval of Σ hit / Σ sent of one less that of the other; each is given as (hit, sent) per member."""
    columns = np.stack([np.asarray(column, dtype=np.float64) for column in (*one, *other)], axis=1)
    size, random, found = len(columns), np.random.default_rng(seed), []
    if not size:
        return float("nan"), float("nan")
    for start in range(0, draws, CHUNK):
        rows = min(CHUNK, draws - start)
        weight = np.stack([np.bincount(random.integers(0, size, size), minlength=size) for _ in range(rows)])
        total = weight @ columns
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(total[:, 0] / total[:, 1] - total[:, 2] / total[:, 3])
    low, high = np.nanquantile(np.concatenate(found), (0.025, 0.975))
    return float(low), float(high)


def of_means(one: ArrayLike, other: ArrayLike, draws: int = DRAWS, seed: int = SEED) -> Range:
    """Return the interval of the mean difference, a figure per member; members with NaN are left out."""
    difference = np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    difference = difference[~np.isnan(difference)]
    nothing, each = np.zeros(len(difference)), np.ones(len(difference))
    return of_ratios((difference, each), (nothing, each), draws, seed)


def of_clusters(difference: ArrayLike, members: ArrayLike, draws: int = DRAWS, seed: int = SEED) -> Range:
    """Return the interval of the mean of rows of which several may be one member's."""
    _, place = np.unique(np.asarray(members), return_inverse=True)
    sums, counts = np.bincount(place, weights=np.asarray(difference)), np.bincount(place)
    return of_ratios((sums, counts), (np.zeros(len(sums)), counts), draws, seed)


def of_figure(
    true: NDArray[Any], score: NDArray[Any], figure: Callable[[NDArray[Any], NDArray[Any]], float],
    draws: int = DRAWS, seed: int = 3,
) -> Range:  # fmt: skip
    """Return the interval of any figure of (true, score); draws with one answer only are left out."""
    random, found = np.random.default_rng(seed), []
    for _ in range(draws):
        rows = random.integers(0, len(true), len(true))
        if 0 < true[rows].sum() < len(rows):
            found.append(figure(true[rows], score[rows]))
    if not found:
        return float("nan"), float("nan")
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)
