"""Which items a member may want next: own repeats, what alike members buy, what everybody buys.

Vectors are TIFU-KNN's idea (Hu et al., SIGIR 2020) in one decay: the half-life is a third of the member's own baskets.
Only the strongest entries of a vector are kept, so that neighbours cost little in a shop of many items.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommend.matrix import Codes
from recommend.places import ranks
from recommend.ranking_history import Floats, History, halved, history

OWN = 60
ALIKE = 20
NEAR = 15
POPULAR = 10
NEIGHBOURS = 150
REFERENCES = 10_000
STRONGEST = 60
HOT, SHELF = 2_000, 400
BESIDE_MEMBERS, BESIDE_ITEMS = 4_000, 150
CELLS_AT_ONCE = 6_000_000
HISTORY_SHARE = 0.33
RECENT_SHARE = 0.08


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs rising by member then item; `alike`: the neighbours' mean share; `popular`: the shop's recent share.

    `near`: how often the item is bought by those who buy the member's own items, each counted alike; `near_late`: each
    counted by its decayed share. `lent`: whether a pair the member never bought is here because alike members buy it or
    because it is near, not because everybody does.
    """

    member: Codes
    item: Codes
    alike: Floats
    near: Floats
    near_late: Floats
    popular: Floats
    lent: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Members whose habits are lent to others (at most REFERENCES of them), and what is popular lately.

    `hot`: the items most in the references' vectors; `beside`: their cosines over who buys them (hot × hot, 0 on the
    diagonal); `shelf`: the most popular ones, the best first.
    """

    vectors: Any
    across: Any
    lengths: Floats
    rows: NDArray[np.int64]
    popular: Floats
    hot: NDArray[np.int64]
    beside: Floats
    shelf: NDArray[np.int64]


def habits(past: History) -> Floats:
    """Return of each pair the decayed share of the member's baskets with the item."""
    return past.total(past.share(halved(past.ago, HISTORY_SHARE * np.maximum(1, past.baskets)[past.log.member])))


def habit_vectors(past: History, share: Floats | None = None) -> Any:
    """Return members × items: the habits, of each member the STRONGEST ones."""
    share = habits(past) if share is None else share
    kept = ranks(past.pair_member, share) < STRONGEST
    return past.only(kept).vectors(share[kept])


def neighbourhood(past: History, seed: int) -> Neighbourhood:
    """Return the reference members of a history: all, or a fixed random sample of those with most of a history."""
    rows = np.flatnonzero(past.baskets > 0)
    if len(rows) > REFERENCES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, REFERENCES, replace=False))
        past_of = history(past.log._only(np.isin(past.log.member, rows)), past.now)
    else:
        past_of = past
    vectors = habit_vectors(past_of)[rows]
    lengths = np.asarray(vectors.multiply(vectors).sum(axis=1), dtype=np.float32).ravel()
    popular, heat = _recently_popular(past), np.asarray(vectors.sum(axis=0)).ravel()
    hot = np.sort(np.argsort(-heat, kind="stable")[:HOT])
    shelf = np.argsort(-popular, kind="stable")[:SHELF]
    beside = _beside(past_of, seed, hot)
    return Neighbourhood(vectors, vectors.T.tocsr(), lengths, rows, popular, hot, beside, shelf[popular[shelf] > 0])


def _beside(past: History, seed: int, hot: NDArray[np.int64]) -> Floats:
    """Return item-to-item cosines (Sarwar et al. 2001) over who buys them, of a sample of members' main items."""
    share = habits(past)
    kept = ranks(past.pair_member, share) < BESIDE_ITEMS
    rows = np.flatnonzero(past.baskets > 0)
    if len(rows) > BESIDE_MEMBERS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, BESIDE_MEMBERS, replace=False))
    has = past.only(kept).vectors(np.ones(int(kept.sum()), dtype=np.float32))[rows][:, hot]
    both = _dense(has.T @ has)
    length = np.sqrt(np.maximum(both.diagonal(), 1))
    both /= length[:, None] * length[None, :]
    np.fill_diagonal(both, 0)
    return both


def near_scores(own: Any, around: Neighbourhood) -> tuple[Floats, Floats]:
    """Return the mean cosine of each hot item with each member's own ones, counted alike and by their shares."""
    mine = own[:, around.hot]
    has = mine.astype(np.bool_).astype(np.float32)
    many, weight = (np.maximum(1e-9, np.asarray(of.sum(axis=1))) for of in (has, mine))
    return ((has @ around.beside) / many).astype(np.float32), ((mine @ around.beside) / weight).astype(np.float32)


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
    far = around.lengths[None, :] - 2 * _dense(own @ around.across)
    here = np.minimum(np.searchsorted(around.rows, members), len(around.rows) - 1)
    itself = np.flatnonzero(around.rows[here] == members)
    far[itself, here[itself]] = np.inf
    near = np.argpartition(far, count - 1, axis=1)[:, :count]
    ends = np.arange(0, near.size + 1, count)
    chosen = sparse.csr_matrix((np.full(near.size, 1 / count, np.float32), near.ravel(), ends), shape=far.shape)
    return _dense(chosen @ around.vectors)


def _dense(matrix: Any) -> Floats:
    return np.asarray(matrix.toarray(), dtype=np.float32)


def candidates(past: History, members: NDArray[Any], around: Neighbourhood) -> Candidates:
    """Return the candidates of all members of a history, who are these references; without a past what is popular."""
    share = habits(past)
    vectors, ends = habit_vectors(past, share), np.searchsorted(past.pair_member, np.arange(len(members) + 1))
    chunk = max(64, CELLS_AT_ONCE // max(vectors.shape[1], len(around.rows)))
    parts = []
    for start in range(0, len(members), chunk):
        some = slice(start, min(start + chunk, len(members)))
        pairs = slice(ends[some.start], ends[some.stop])
        alike = alike_scores(vectors[some], members[some], around)
        near = near_scores(vectors[some], around)
        mine = past.pair_member[pairs] - start, past.pair_item[pairs], share[pairs]
        parts.append(_of_chunk(*mine, alike, near, around))
        parts[-1][0][:] += start
    member, item, alike, near, late, lent = (np.concatenate(column) for column in zip(*parts, strict=True))
    member, item = member.astype(np.int32), item.astype(np.int32)
    return Candidates(member, item, alike, near, late, around.popular[item], lent)


def _of_chunk(
    member: Codes, item: Codes, share: Floats, alike: Floats, near: tuple[Floats, Floats], around: Neighbourhood
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats, Floats, NDArray[np.bool_]]:
    """Return (row, item, alike, near, near_late, lent) of the candidates of rows of members, rising."""
    best = ranks(member, share + np.float32(0.1) * alike[member, item]) < OWN
    hot, wide = around.hot, alike.shape[1]
    place = np.minimum(np.searchsorted(hot, item), len(hot) - 1)
    own = hot[place] == item
    mine = member[own], place[own]
    chosen = np.zeros((len(alike), len(hot)), dtype=np.bool_)
    for score, count in ((alike[:, hot], ALIKE), (near[0], NEAR), (near[1], NEAR)):
        _lend(chosen, np.array(score), mine, count)
    lent = np.nonzero(chosen)
    bought = np.zeros(alike.shape, dtype=np.bool_)
    bought[member, item] = True
    bought[lent[0], hot[lent[1]]] = True
    free = ~bought[:, around.shelf]
    row, shelf = np.nonzero(free & (np.cumsum(free, axis=1) <= POPULAR))
    parts = ((member[best], item[best]), (lent[0], hot[lent[1]]), (row, around.shelf[shelf]))
    key = np.concatenate([one[0].astype(np.int64) * wide + one[1] for one in parts])
    order = np.argsort(key)
    rows, items = np.divmod(key[order], wide)
    at = np.minimum(np.searchsorted(hot, items), len(hot) - 1)
    close = [np.where(hot[at] == items, score[rows, at], np.float32(0)) for score in near]
    first = len(parts[0][0])
    return rows, items, alike[rows, items], *close, (order >= first) & (order < first + len(lent[0]))


def _lend(chosen: NDArray[np.bool_], score: Floats, mine: tuple[Codes, Codes], most: int) -> None:
    """Mark the places of what scores best of what the member never bought, so many a row at most."""
    score[mine] = 0
    count = min(most, score.shape[1])
    best = np.argpartition(-score, count - 1, axis=1)[:, :count]
    rows = np.broadcast_to(np.arange(len(score))[:, None], best.shape)
    fits = np.take_along_axis(score, best, axis=1) > 0
    chosen[rows[fits], best[fits]] = True
