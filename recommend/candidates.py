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
NEIGHBOURS = 100
REFERENCES = 10_000
STRONGEST = 60
HOT, SHELF = 2_000, 400
CELLS_AT_ONCE = 1_000_000
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

    `hot`: the items most in the references' vectors (`of_hot`: these alone), between which the links are; `shelf`: the
    most popular ones, the best first.
    """

    vectors: Any
    across: Any
    of_hot: Any
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
    across, of_hot = vectors.T.tocsr(), vectors[:, hot].tocsr()
    return Neighbourhood(vectors, across, of_hot, lengths, rows, popular, hot, shelf[popular[shelf] > 0], links)


def _recently_popular(past: History) -> Floats:
    many = len(past.log.items)
    late = past.log.day >= np.quantile(past.log.day, 1 - RECENT_SHARE)
    recent, ever = np.bincount(past.log.item[late], minlength=many), np.bincount(past.log.item, minlength=many)
    blend = recent / max(1, int(recent.sum())) + ever / max(1, int(ever.sum()))
    return (blend / 2).astype(np.float32)


def alike_scores(own: Any, members: NDArray[Any], around: Neighbourhood) -> Floats:
    """Return members × hot items: the mean of each member's nearest references (Euclidean), itself left out."""
    count = min(NEIGHBOURS, len(around.rows) - 1)
    if count < 1:
        return np.zeros((len(members), len(around.hot)), dtype=np.float32)
    far = around.lengths[None, :] - 2 * dense(own @ around.across)
    here = np.minimum(np.searchsorted(around.rows, members), len(around.rows) - 1)
    itself = np.flatnonzero(around.rows[here] == members)
    far[itself, here[itself]] = np.inf
    near = np.argpartition(far, count - 1, axis=1)[:, :count]
    ends = np.arange(0, near.size + 1, count)
    chosen = sparse.csr_matrix((np.full(near.size, 1 / count, np.float32), near.ravel(), ends), shape=far.shape)
    return dense(chosen @ around.of_hot)


def candidates(past: History, members: NDArray[Any], around: Neighbourhood) -> Candidates:
    """Return the candidates of all members of a history, who are these references; without a past what is popular."""
    share = habits(past)
    vectors, ends = habit_vectors(past, share), np.searchsorted(past.pair_member, np.arange(len(members) + 1))
    lately = past.vectors(past.total(past.share(halved(past.ago, LATELY))))
    chunk = max(64, CELLS_AT_ONCE // max(len(around.hot), len(around.rows)))
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
    hot, shelf, wide = around.hot, around.shelf, len(around.popular)
    linked = {"alike": alike, **linked, "linked": blended([alike, *linked.values()])}
    place, is_hot = _places(hot, item)
    near = np.where(is_hot, alike[member, place], np.float32(0))
    best = ranks(member, share + np.float32(0.1) * near) < OWN
    lent = _lent(member[is_hot], place[is_hot], linked["linked"], hot)
    free = np.ones((len(alike), len(shelf)), dtype=np.bool_)
    on_shelf = np.full(wide, -1, dtype=np.int64)
    on_shelf[shelf] = np.arange(len(shelf))
    for rows, items in ((member, item), lent):
        there = on_shelf[items] >= 0
        free[rows[there], on_shelf[items[there]]] = False
    row, at = np.nonzero(free & (np.cumsum(free, axis=1, dtype=np.int16) <= POPULAR))
    parts = ((member[best], item[best]), lent, (row, shelf[at]))
    key = np.concatenate([one[0].astype(np.int64) * wide + one[1] for one in parts])
    order = np.argsort(key)
    rows, items = np.divmod(key[order], wide)
    first = len(parts[0][0])
    place, is_hot = _places(hot, items)
    links = {name: np.where(is_hot, score[rows, place], np.float32(0)) for name, score in linked.items()}
    return Candidates(
        (rows + start).astype(np.int32), items.astype(np.int32), links.pop("alike"), around.popular[items],
        (order >= first) & (order < first + len(lent[0])), links,
    )  # fmt: skip


def _places(hot: NDArray[np.int64], item: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the place of each item among the hot ones, and whether it is one of them."""
    place = np.minimum(np.searchsorted(hot, item), len(hot) - 1)
    return place, hot[place] == item


def _lent(
    member: Codes, place: NDArray[np.int64], linked: Floats, hot: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (row, item) of what links lead to most, ALIKE a row at most; not what was bought: rows and hot places."""
    score = linked.copy()
    score[member, place] = 0
    count = min(ALIKE, score.shape[1])
    best = np.argpartition(-score, count - 1, axis=1)[:, :count]
    rows = np.broadcast_to(np.arange(len(score))[:, None], best.shape)
    fits = np.take_along_axis(score, best, axis=1) > 0
    return rows[fits], hot[best[fits]]
