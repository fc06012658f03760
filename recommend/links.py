"""What leads from one item to another: bought by the same members, of one taste, begun in the basket after.

Item-to-item collaborative filtering (Sarwar et al., WWW 2001) thrice over, among the items bought most: shrunk cosines,
their smoothing by a few factors (a truncated singular value decomposition), and first purchases in the next basket.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommend.places import ranks
from recommend.ranking_history import Floats, History, dense

FACTORS, LINKS, LINKED, SHRUNK = 32, 50, 4_000, 5.0
PAST_BASKETS = 20


@dataclass(frozen=True, slots=True)
class Links:
    """What leads from item to item, among the hot ones: bought by the same members, of one taste, and first next.

    `near`: cosine over members, pulled to zero where few bought; `taste`: two thin matrices whose product smooths it;
    `follows`: how often an item is bought for the first time in the basket after one with the other.
    """

    near: Any
    into: Floats
    out: Floats
    follows: Any


def links_of(past: History, vectors: Any, hot: NDArray[np.int64]) -> Links:
    """Return the links between hot items over the references' vectors and their newest baskets."""
    held = vectors[:, hot].astype(np.bool_).astype(np.float32).tocsr()
    many = np.asarray(held.sum(axis=0), dtype=np.float32).ravel()
    scale = sparse.diags(1 / np.sqrt(many + np.float32(SHRUNK)))
    even = (held @ scale).tocsr()
    near = (even.T @ even).tocsr()
    near.setdiag(0)
    into, out = _factors(even, many)
    return Links(_strongest(near, LINKS), into, out, _follows(past, hot))


def _factors(even: Any, many: Floats) -> tuple[Floats, Floats]:
    from scipy.sparse.linalg import ArpackError, svds

    count, none = min(FACTORS, min(even.shape) // 4), np.zeros((even.shape[1], 1), dtype=np.float32)
    if count < 1 or not even.nnz:
        return none, none
    try:
        _, _, right = svds(even, k=count, v0=np.ones(min(even.shape)), solver="arpack", return_singular_vectors="vh")
    except ArpackError:
        return none, none
    root = np.sqrt(many + np.float32(SHRUNK))[:, None]
    return (right.T / root).astype(np.float32), (right.T * root).astype(np.float32)


def _follows(past: History, hot: NDArray[np.int64]) -> Any:
    """Return hot × hot: of baskets with the one, how many were followed by a first purchase of the other (pulled)."""
    place = np.full(len(past.log.items), -1, dtype=np.int64)
    place[hot] = np.arange(len(hot))
    log, first = past.log, past.first
    basket = np.cumsum(first) - 1
    lately = (past.ago <= PAST_BASKETS) & (place[log.item] >= 0)
    if len(past.baskets) > LINKED:
        lately &= log.member % (len(past.baskets) // LINKED + 1) == 0
    new = np.zeros(len(log), dtype=np.bool_)
    new[past.order[past.start]] = True
    shape = int(basket[-1]) + 1, len(hot)

    def baskets(rows: NDArray[np.bool_]) -> Any:
        where = basket[rows], place[log.item[rows]]
        return sparse.csr_matrix((np.ones(len(where[0]), dtype=np.float32), where), shape=shape)

    owner = log.member[first]
    next_one = np.flatnonzero(owner[1:] == owner[:-1])
    held, begun = baskets(lately), baskets(lately & new)
    pairs = (held[next_one].T @ begun[next_one + 1]).tocsr()
    pairs.setdiag(0)
    of, to = (np.asarray(part.sum(axis=0)).ravel() + SHRUNK for part in (held[next_one], begun[next_one + 1]))
    return _strongest((sparse.diags(of**-0.7) @ pairs @ sparse.diags(to**-0.3)).tocsr().astype(np.float32), LINKS)


def _strongest(matrix: Any, count: int) -> Any:
    """Return a sparse matrix with only the strongest positive entries of each row."""
    matrix.eliminate_zeros()
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    kept = ranks(row, matrix.data) < count if len(row) else np.zeros(0, dtype=np.bool_)
    ends = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=matrix.shape[0]))])
    return sparse.csr_matrix((matrix.data[kept], matrix.indices[kept], ends), shape=matrix.shape)


def linked_scores(own: Any, lately: Any, links: Links, hot: NDArray[np.int64]) -> dict[str, Floats]:
    """Return members × hot items per kind of link; `own`, `lately`: habits over a third and over few baskets."""
    roots = own[:, hot].sqrt()
    return {
        "near": dense(roots @ links.near),
        "taste": np.maximum((roots @ links.into) @ links.out.T, 0).astype(np.float32),
        "follows": dense(lately[:, hot] @ links.follows),
    }


def blended(scores: Sequence[Floats]) -> Floats:
    """Return the mean of scores, each on the scale of the first: as large a sum per member."""
    whole = scores[0].sum(axis=1, keepdims=True)
    parts = [score * (whole / np.maximum(score.sum(axis=1, keepdims=True), 1e-9)) for score in scores]
    return np.asarray(np.mean(parts, axis=0), dtype=np.float32)
