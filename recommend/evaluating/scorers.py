"""The simplest recommenders, which any other must beat: global, personal and decayed personal frequency.

A scorer answers dense scores, members asked × items. Stronger baselines are in benchmarks/, where nothing depends on
them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommend.evaluating.cases import Case
from recommend.evaluating.measures import best, within
from recommend.matrix import PurchaseLog

Dense = NDArray[np.float32]
Scorer = Callable[[NDArray[Any]], Dense]
CHUNK, TUNING_MEMBERS = 256, 400


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


def decayed_options() -> list[dict[str, Any]]:
    """Return half-lives in days and in baskets."""
    days = [{"half_life": half} for half in (20, 45, 90, 150, 250)]
    return days + [{"half_life": half, "in_baskets": True} for half in (5, 10, 20, 40, 80)]


def lists(score: Scorer, past: PurchaseLog, members: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the best items and the best new ones of members (codes)."""
    bought = Baskets(past, 0).weighted(np.ones(len(past)))
    items, fresh = [], []
    for start in range(0, len(members), CHUNK):
        some = members[start : start + CHUNK]
        scores = score(some)
        items.append(best(scores))
        fresh.append(best(np.where(bought[some].toarray() > 0, -np.inf, scores)))
    return np.concatenate(items), np.concatenate(fresh)


def tuned(of: Case, build: Callable[..., Scorer], options: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the settings with the best Recall@10 × NDCG@10 one span earlier, on some of the members."""
    earlier = of.earlier()
    members = earlier.asked[:: max(1, len(earlier.asked) // TUNING_MEMBERS)]
    if not len(members):
        return options[len(options) // 2]

    def worth(option: dict[str, Any]) -> float:
        score = build(Baskets(earlier.past, earlier.cut), **option)
        top = np.concatenate([best(score(members[at : at + CHUNK])) for at in range(0, len(members), CHUNK)])
        recall, ndcg = within(top, members, earlier.target)
        return float(recall.mean() * ndcg.mean())

    return max(options, key=worth)


def fitted(build: Callable[..., Scorer], options: Sequence[dict[str, Any]] = ()) -> Callable[[Case], Scorer]:
    """Return what fits this baseline to a case; choosing among options counts as fitting."""

    def fit(of: Case) -> Scorer:
        chosen = tuned(of, build, options) if options else {}
        return build(Baskets(of.past, of.cut), **chosen)

    return fit


SIMPLE: Mapping[str, Callable[[Case], Scorer]] = {
    "global top": fitted(global_top),
    "personal top": fitted(personal),
    "decayed frequency, tuned": fitted(personal, decayed_options()),
}
