"""The field, written compactly: what a next-basket recommender must beat. Every one answers dense scores per member.

Sources: TIFU-KNN, Hu et al., SIGIR 2020; UP-CF@r, Faggioli et al., UMAP 2020; ALS and BM25 from the package implicit.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommend.matrix import PurchaseLog

Dense = NDArray[np.float32]
Scorer = Callable[[NDArray[Any]], Dense]
CHUNK = 256


@dataclass(frozen=True)
class Baskets:
    """A history with each row's basket counted from the member's newest (0) and how many baskets the member has."""

    log: PurchaseLog
    now: int

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.log.members), len(self.log.items)

    def age_in_baskets(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return (baskets from the newest per row, baskets per member)."""
        log = self.log
        first = np.ones(len(log), dtype=np.bool_)
        first[1:] = (log.member[1:] != log.member[:-1]) | (log.day[1:] != log.day[:-1])
        number = np.cumsum(first) - 1
        total = np.bincount(log.member[first], minlength=len(log.members))
        return np.cumsum(total)[log.member] - 1 - number, total

    def weighted(self, weight: NDArray[Any]) -> Any:
        """Return the members × items matrix of summed row weights."""
        return sparse.csr_matrix((weight.astype(np.float32), (self.log.member, self.log.item)), shape=self.shape)


def global_top(baskets: Baskets) -> Scorer:
    """Score by in how many baskets an item was."""
    count = np.bincount(baskets.log.item, minlength=baskets.shape[1]).astype(np.float32)
    return lambda rows: np.tile(count, (len(rows), 1))


def personal(baskets: Baskets, half_life: float = np.inf, in_baskets: bool = False) -> Scorer:
    """Score by the member's own (decayed) number of baskets with the item, the popular ones breaking ties."""
    age = baskets.age_in_baskets()[0] if in_baskets else baskets.now - baskets.log.day
    own = baskets.weighted(np.power(0.5, age / half_life))
    popular = np.bincount(baskets.log.item, minlength=baskets.shape[1])
    small = (1e-4 * popular / max(1, popular.max())).astype(np.float32)
    return lambda rows: np.asarray(own[rows].toarray() + small, dtype=np.float32)


def item_knn(baskets: Baskets, neighbours: int = 100) -> Scorer:
    """Score by cosine between items over members (implicit's item-kNN), summed over the member's own items."""
    own = baskets.weighted(np.ones(len(baskets.log)))
    norm = np.sqrt(np.asarray(own.power(2).sum(axis=0)).ravel())
    scaled = sparse.csr_matrix(own @ sparse.diags(1 / np.maximum(norm, 1e-9)))
    alike = _strongest((scaled.T @ scaled).tocsr(), neighbours)
    return lambda rows: np.asarray((own[rows] @ alike).toarray(), dtype=np.float32)


def _strongest(matrix: Any, count: int) -> Any:
    parts = []
    for row in range(matrix.shape[0]):
        start, end = matrix.indptr[row : row + 2]
        cells = np.arange(start, end)
        if len(cells) > count:
            cells = cells[np.argpartition(-matrix.data[cells], count)[:count]]
        parts.append(cells)
    cells = np.concatenate(parts)
    indptr = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    return sparse.csr_matrix((matrix.data[cells], matrix.indices[cells], indptr), shape=matrix.shape)


def tifu(
    baskets: Baskets, neighbours: int = 300, group: int = 7, within: float = 0.9, between: float = 0.7,
    alpha: float = 0.7,
) -> Scorer:  # fmt: skip
    """TIFU-KNN: group-wise decayed vectors, α of the own plus 1 − α of the mean of the nearest members.

    Groups are of equal size and count from the newest; the defaults are those published for Ta-Feng.
    """
    vectors = tifu_vectors(baskets, group, within, between)
    return blended_neighbours(vectors, neighbours, alpha)


def tifu_vectors(baskets: Baskets, group: int, within: float, between: float) -> Any:
    """Return the members × items matrix of TIFU-KNN's temporal-dynamics vectors."""
    age, total = baskets.age_in_baskets()
    groups = np.minimum(group, np.maximum(total, 1))
    size = np.ceil(total / groups)[baskets.log.member]
    back = age // size
    used = np.ceil(total / np.maximum(1, np.ceil(total / groups)))[baskets.log.member]
    return baskets.weighted(within ** (age - back * size) / size * between**back / used)


def blended_neighbours(vectors: Any, neighbours: int, alpha: float) -> Scorer:
    """Score α · own + (1 − α) · mean of the nearest by Euclidean distance."""
    lengths = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
    count = min(neighbours, vectors.shape[0] - 1)

    def score(rows: NDArray[Any]) -> Dense:
        own = vectors[rows]
        far = lengths[None, :] - 2 * (own @ vectors.T).toarray()
        far[np.arange(len(rows)), rows] = np.inf
        near = np.argpartition(far, count - 1, axis=1)[:, :count]
        chosen = sparse.csr_matrix(
            (np.full(near.size, 1 / count, np.float32), near.ravel(), np.arange(0, near.size + 1, count)),
            shape=(len(rows), vectors.shape[0]),
        )
        return np.asarray((alpha * own + (1 - alpha) * (chosen @ vectors)).toarray(), dtype=np.float32)

    return score


def up_cf(baskets: Baskets, recent: int = 10, locality: float = 5, asymmetry: float = 0.25) -> Scorer:
    """UP-CF@r: popularity of items in each member's last r baskets, averaged over members by asymmetric cosine."""
    age, total = baskets.age_in_baskets()
    share = baskets.weighted((age < recent) / np.minimum(recent, np.maximum(1, total))[baskets.log.member])
    share.eliminate_zeros()
    binary = baskets.weighted(np.ones(len(baskets.log)))
    binary.data[:] = 1
    sizes = np.asarray(binary.sum(axis=1)).ravel()

    def score(rows: NDArray[Any]) -> Dense:
        alike = (binary[rows] @ binary.T).toarray()
        alike /= np.maximum(1e-9, sizes[rows, None] ** asymmetry * sizes[None, :] ** (1 - asymmetry))
        return np.asarray((share.T @ (alike**locality).astype(np.float32).T).T, dtype=np.float32)

    return score


def implicit_model(baskets: Baskets, kind: str) -> Scorer:
    """ALS with 64 factors, or BM25 item-item with K = 100; ImportError when the package isn't there."""
    from importlib import import_module

    weight = import_module("implicit.nearest_neighbours").bm25_weight

    own = baskets.weighted(np.ones(len(baskets.log)))
    if kind == "als":
        als = import_module("implicit.als").AlternatingLeastSquares(
            factors=64, iterations=15, random_state=7, num_threads=1
        )
        als.fit(weight(own, K1=100, B=0.8).tocsr(), show_progress=False)
        return lambda rows: np.asarray(als.user_factors[rows] @ als.item_factors.T, dtype=np.float32)
    model = import_module("implicit.nearest_neighbours").BM25Recommender(K=100, num_threads=1)
    model.fit(own, show_progress=False)
    return lambda rows: np.asarray((own[rows] @ model.similarity).toarray(), dtype=np.float32)


def grid(**values: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """Yield every combination of settings."""
    for combination in product(*values.values()):
        yield dict(zip(values, combination, strict=True))
