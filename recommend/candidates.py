"""Which items a member may want next: own repeats, what alike members buy, what everybody buys.

Vectors are TIFU-KNN's idea (Hu et al., SIGIR 2020) in one decay: the half-life is a third of the member's own baskets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommend.matrix import Codes
from recommend.ranking_features import Floats, History, halved

OWN = 60
ALIKE = 20
POPULAR = 10
NEIGHBOURS = 150
REFERENCES = 20_000
CHUNK = 512
HISTORY_SHARE = 0.33
RECENT_SHARE = 0.08
DENSE = 0.04


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs rising by member then item; `alike`: the neighbours' mean share; `popular`: the shop's recent share."""

    member: Codes
    item: Codes
    alike: Floats
    popular: Floats


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Members whose habits are lent to others (at most REFERENCES of them), and what is popular lately."""

    vectors: Any
    lengths: Floats
    rows: NDArray[np.int64]
    popular: Floats


def habit_vectors(past: History) -> Any:
    """Return members × items: decayed share of the member's baskets with the item."""
    weight = halved(past.ago, HISTORY_SHARE * np.maximum(1, past.baskets[past.log.member]))
    return past.vectors(past.share(weight))


def neighbourhood(past: History, seed: int) -> Neighbourhood:
    """Return the reference members of a history: all, or a fixed random sample of those with most of a history."""
    rows = np.flatnonzero(past.baskets > 0)
    if len(rows) > REFERENCES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, REFERENCES, replace=False))
    vectors = habit_vectors(past)[rows]
    lengths = np.asarray(vectors.multiply(vectors).sum(axis=1), dtype=np.float32).ravel()
    if vectors.nnz > DENSE * vectors.shape[0] * vectors.shape[1]:
        vectors = vectors.toarray()
    return Neighbourhood(vectors, lengths, rows, _recently_popular(past))


def _recently_popular(past: History) -> Floats:
    many = len(past.log.items)
    late = past.log.day >= np.quantile(past.log.day, 1 - RECENT_SHARE)
    recent, ever = np.bincount(past.log.item[late], minlength=many), np.bincount(past.log.item, minlength=many)
    blend = recent / max(1, int(recent.sum())) + ever / max(1, int(ever.sum()))
    return (blend / 2).astype(np.float32)


def alike_scores(own: Any, members: NDArray[Any], around: Neighbourhood) -> Floats:
    """Return the mean vector of each member's nearest references (Euclidean), itself left out, as dense rows."""
    count = min(NEIGHBOURS, len(around.rows) - 1)
    if count < 1:
        return np.zeros((len(members), around.vectors.shape[1]), dtype=np.float32)
    far = around.lengths[None, :] - 2 * _dense(own @ around.vectors.T)
    here = np.minimum(np.searchsorted(around.rows, members), len(around.rows) - 1)
    itself = np.flatnonzero(around.rows[here] == members)
    far[itself, here[itself]] = np.inf
    near = np.argpartition(far, count - 1, axis=1)[:, :count]
    ends = np.arange(0, near.size + 1, count)
    chosen = sparse.csr_matrix((np.full(near.size, 1 / count, np.float32), near.ravel(), ends), shape=far.shape)
    return _dense(chosen @ around.vectors)


def _dense(matrix: Any) -> Floats:
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, dtype=np.float32)


def candidates(past: History, members: NDArray[Any], around: Neighbourhood) -> Candidates:
    """Return the candidates of these members (codes, rising); a cold member gets what is popular."""
    vectors = habit_vectors(past)
    parts = []
    for start in range(0, len(members), CHUNK):
        some = members[start : start + CHUNK]
        parts.append(_of_chunk(vectors[some], some, around))
    if not parts:
        empty = np.zeros(0, dtype=np.int32)
        return Candidates(empty, empty, empty.astype(np.float32), empty.astype(np.float32))
    member, item, alike = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Candidates(member, item, alike, around.popular[item])


def _of_chunk(own: Any, members: NDArray[Any], around: Neighbourhood) -> tuple[Codes, Codes, Floats]:
    alike = alike_scores(own, members, around)
    mine = own.toarray()
    chosen = np.zeros(mine.shape, dtype=np.bool_)
    _mark_best(chosen, mine + 0.1 * alike, OWN, lambda score: mine > 0)
    _mark_best(chosen, np.where(mine > 0, -1, alike), ALIKE, lambda score: score > 0)
    fresh = np.where((mine > 0) | chosen, -1, around.popular[None, :])
    _mark_best(chosen, fresh, POPULAR, lambda score: score > 0)
    row, item = np.nonzero(chosen)
    return members[row].astype(np.int32), item.astype(np.int32), alike[row, item]


def _mark_best(
    chosen: NDArray[np.bool_], score: Floats, count: int, allowed: Callable[[Floats], NDArray[np.bool_]]
) -> None:
    count = min(count, score.shape[1])
    best = np.argpartition(-score, count - 1, axis=1)[:, :count]
    fits = np.take_along_axis(allowed(score), best, axis=1)
    rows = np.broadcast_to(np.arange(len(score))[:, None], best.shape)
    chosen[rows[fits], best[fits]] = True
