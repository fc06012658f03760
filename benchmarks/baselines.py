"""The field, written compactly: what a next-basket recommender must beat. Every one answers dense scores per member.

Sources: TIFU-KNN, Hu et al., SIGIR 2020; UP-CF@r, Faggioli et al., UMAP 2020; ALS and BM25 from the package implicit.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from recommend.evaluating.cases import Case
from recommend.evaluating.scorers import SIMPLE, Baskets, Dense, Scorer, fitted


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
        with threadpool_limits(1, "blas"):
            als = import_module("implicit.als").AlternatingLeastSquares(
                factors=64, iterations=15, random_state=7, num_threads=1
            )
            als.fit(weight(own, K1=100, B=0.8).tocsr(), show_progress=False)
        return lambda rows: np.asarray(als.user_factors[rows] @ als.item_factors.T, dtype=np.float32)
    model = import_module("implicit.nearest_neighbours").BM25Recommender(K=100, num_threads=1)
    with warnings.catch_warnings(action="ignore"):  # the package warns of its own conversion
        model.fit(own, show_progress=False)
    return lambda rows: np.asarray((own[rows] @ model.similarity).toarray(), dtype=np.float32)


def grid(**values: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """Yield every combination of settings."""
    for combination in product(*values.values()):
        yield dict(zip(values, combination, strict=True))


def tifu_options() -> list[dict[str, Any]]:
    """Return the settings TIFU-KNN is tuned among."""
    return list(
        grid(neighbours=(300,), group=(7, 20), within=(0.9, 1.0), between=(0.6, 0.8, 0.95), alpha=(0.5, 0.7, 0.9))
    )


def rivals(every: bool = False) -> Mapping[str, Callable[[Case], Scorer]]:
    """Return {name: how it is fitted to a case}, the cheap ones or `every` one; tuning counts as fitting.

    Those of `implicit` raise ImportError when fitted without the package.
    """
    cheap = dict(SIMPLE) | {
        "item-kNN": fitted(item_knn),
        "UP-CF@r, tuned": fitted(up_cf, list(grid(recent=(5, 20, 100), locality=(1, 5), asymmetry=(0.25, 0.75)))),
        "TIFU-KNN, published": fitted(tifu),
        "TIFU-KNN, tuned": fitted(tifu, tifu_options()),
    }
    if not every:
        return cheap
    return cheap | {
        f"implicit {kind}": fitted(lambda known, kind=kind: implicit_model(known, kind.lower()))
        for kind in ("ALS", "BM25")
    }
