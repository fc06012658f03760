"""Which items a member may want next: own repeats, what alike members buy or is linked to these, what everybody buys.

Vectors are TIFU-KNN's idea (Hu et al., SIGIR 2020) in one decay: the half-life is a third of the member's own baskets.
Only the strongest entries of a vector are kept, so that neighbours cost little in a shop of many items.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommend.links import Links, blended, linked_scores, links_of
from recommend.matrix import Codes
from recommend.places import ranks
from recommend.ranking_history import Floats, History, dense, halved, history

OWN = 60
ALIKE = 30
POPULAR = 10
NEIGHBOURS = 150
REFERENCES = 10_000
STRONGEST = 60
HOT, SHELF = 2_000, 400
CELLS_AT_ONCE = 6_000_000
HISTORY_SHARE = 0.33
RECENT_SHARE = 0.08
LATELY = 2.0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs rising by member then item; `alike`: the neighbours' mean share; `popular`: the shop's recent share.

    `links`: what leads from the member's own items to this one, by name; `linked` is all of it in one. `lent`: whether
    a pair the member never bought is here for that, not because everybody buys it.
    """

    member: Codes
    item: Codes
    alike: Floats
    popular: Floats
    lent: NDArray[np.bool_]
    links: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Members whose habits are lent to others (at most REFERENCES of them), and what is popular lately.

    `hot`: the items most in the references' vectors, between which the links are; `shelf`: the most popular ones, the
    best first.
    """

    vectors: Any
    across: Any
    lengths: Floats
    rows: NDArray[np.int64]
    popular: Floats
    hot: NDArray[np.int64]
    shelf: NDArray[np.int64]
    links: Links


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
    links = links_of(past_of, vectors, hot)
    return Neighbourhood(vectors, vectors.T.tocsr(), lengths, rows, popular, hot, shelf[popular[shelf] > 0], links)


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
    far = around.lengths[None, :] - 2 * dense(own @ around.across)
    here = np.minimum(np.searchsorted(around.rows, members), len(around.rows) - 1)
    itself = np.flatnonzero(around.rows[here] == members)
    far[itself, here[itself]] = np.inf
    near = np.argpartition(far, count - 1, axis=1)[:, :count]
    ends = np.arange(0, near.size + 1, count)
    chosen = sparse.csr_matrix((np.full(near.size, 1 / count, np.float32), near.ravel(), ends), shape=far.shape)
    return dense(chosen @ around.vectors)


def candidates(past: History, members: NDArray[Any], around: Neighbourhood) -> Candidates:
    """Return the candidates of all members of a history, who are these references; without a past what is popular."""
    share = habits(past)
    vectors, ends = habit_vectors(past, share), np.searchsorted(past.pair_member, np.arange(len(members) + 1))
    lately = past.vectors(past.total(past.share(halved(past.ago, LATELY))))
    chunk = max(64, CELLS_AT_ONCE // max(vectors.shape[1], len(around.rows)))
    parts = []
    for start in range(0, len(members), chunk):
        some = slice(start, min(start + chunk, len(members)))
        pairs = slice(ends[some.start], ends[some.stop])
        alike = alike_scores(vectors[some], members[some], around)
        linked = linked_scores(vectors[some], lately[some], around.links, around.hot)
        mine = past.pair_member[pairs] - start, past.pair_item[pairs], share[pairs]
        parts.append(_of_chunk(start, *mine, alike, linked, around))
    names = ("member", "item", "alike", "popular", "lent")
    whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    links = {name: np.concatenate([part.links[name] for part in parts]) for name in parts[0].links}
    return Candidates(**whole, links=links)


def _of_chunk(
    start: int, member: Codes, item: Codes, share: Floats, alike: Floats, linked: dict[str, Floats],
    around: Neighbourhood,
) -> Candidates:  # fmt: skip
    """Return the candidates of rows of members, whose codes count from `start`."""
    best = ranks(member, share + np.float32(0.1) * alike[member, item]) < OWN
    hot, wide = around.hot, alike.shape[1]
    linked = linked | {"linked": blended([alike[:, hot], *linked.values()])}
    lent = _lent(member, item, linked["linked"], hot)
    bought = np.zeros(alike.shape, dtype=np.bool_)
    bought[member, item] = True
    bought[lent] = True
    free = ~bought[:, around.shelf]
    row, place = np.nonzero(free & (np.cumsum(free, axis=1) <= POPULAR))
    parts = ((member[best], item[best]), lent, (row, around.shelf[place]))
    key = np.concatenate([one[0].astype(np.int64) * wide + one[1] for one in parts])
    order = np.argsort(key)
    rows, items = np.divmod(key[order], wide)
    first = len(parts[0][0])
    place = np.minimum(np.searchsorted(hot, items), len(hot) - 1)
    is_hot = hot[place] == items
    return Candidates(
        (rows + start).astype(np.int32), items.astype(np.int32), alike[rows, items], around.popular[items],
        (order >= first) & (order < first + len(lent[0])),
        {name: np.where(is_hot, score[rows, place], np.float32(0)) for name, score in linked.items()},
    )  # fmt: skip


def _lent(
    member: Codes, item: Codes, linked: Floats, hot: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (row, item) of what links lead to most of what the member never bought, ALIKE a row at most."""
    score = linked.copy()
    place = np.minimum(np.searchsorted(hot, item), len(hot) - 1)
    own = hot[place] == item
    score[member[own], place[own]] = 0
    count = min(ALIKE, score.shape[1])
    best = np.argpartition(-score, count - 1, axis=1)[:, :count]
    rows = np.broadcast_to(np.arange(len(score))[:, None], best.shape)
    fits = np.take_along_axis(score, best, axis=1) > 0
    return rows[fits], hot[best[fits]]
