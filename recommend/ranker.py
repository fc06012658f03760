"""The ranker: probability that a candidate is in the member's next basket, from pairs of boosted forests.

One forest of a pair counts every purchase alike, the other counts a basket as one whatever its size (weight 1/size):
the first serves NDCG, the second recall. The first doesn't see what names an item or a member (popularity, price), so
that it can't learn by heart what sold in the weeks it saw. The mean log odds, perhaps joined by networks and a simple
score, are calibrated by isotonic regression. scikit-learn is imported only when a model is fitted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommend.forest import Forest, binned, edges, planted
from recommend.matrix import BadPurchases
from recommend.net import Net, fit_net, inputs, quantiles_of
from recommend.one_thread import one_thread
from recommend.places import ranks
from recommend.ranking_history import Floats

TREES = 100
FEW_TREES, ROWS_A_TREE = 30, 500
LEAVES = 15
RATE = 0.08
ROWS, NET_ROWS = 110_000, 80_000
LEADING = 20
LEAST_POSITIVES = 50
FLOOR = 1e-3
TIES = 1e-3
TOP = 10
OWN_COLUMNS = (
    "history_0.33", "history_0.1", "basket_half_8", "basket_half_20", "basket_half_50", "day_half_30", "day_half_90",
    "day_half_180", "light",
)  # fmt: skip
LENDERS = ("linked", "popular")
LENT_OWN_PARTS = (0.9, 0.7, 0.5, 0.3, 0.1, 0.0)
OWN_PARTS = (1.0, 0.9, 0.7, 0.5, 0.3, 0.1)
RELATIVE = (
    "basket_half", "day_half", "history", "light", "small", "alike", "rank", "level", "due", "share",
    "near", "taste", "follows", "linked",
)  # fmt: skip
PARTS = (0.0, 0.25, 0.5, 1.0, 2.0, np.inf)


class TooLittle(BadPurchases):
    """There are too few purchases to learn a ranking from."""


@dataclass(frozen=True, slots=True)
class Forests:
    """Fitted forests over the same columns, as many of each kind; networks (over the same quantiles) count for half."""

    plain: tuple[Forest, ...]
    by_basket: tuple[Forest, ...]
    nets: tuple[Net, ...] = ()

    def log_odds(self, rows: Floats) -> Floats:
        """Return the mean log odds per row, for ranking."""
        return self._with_nets(self.tree_odds(rows), rows)

    def tree_odds(self, rows: Floats) -> Floats:
        """Return the mean log odds of the forests alone."""
        return _mean([forest.log_odds(rows) for forest in (*self.by_basket, *self.plain)])

    def _with_nets(self, odds: Floats, rows: Floats) -> Floats:
        if not self.nets:
            return odds
        given = inputs(rows, self.nets[0].quantiles, self.nets[0].ends)
        return _mean([odds, _mean([net.of_inputs(given) for net in self.nets])])

    def leading_odds(
        self, rows: Floats, member: NDArray[Any], lists: Sequence[tuple[NDArray[np.int64], int]]
    ) -> Floats:  # fmt: skip
        """Return the mean log odds of what may come to the top of a member's lists, −∞ of the rest.

        `lists`: which rows each list is chosen from, and how long it is. Half of the first forest tells what leads it;
        asking the rest of the trees about that alone saves more than half of the time.
        """
        head = self.by_basket[0].half().log_odds(rows)
        leads = np.zeros(len(rows), dtype=np.bool_)
        for chosen, length in lists:
            leads[chosen] |= ranks(member[chosen], head[chosen]) < max(LEADING, length)
        found = np.full(len(rows), -np.inf, dtype=np.float32)
        found[leads] = self.log_odds(rows.T[:, leads].T)
        return found


def _mean(odds: Sequence[Floats]) -> Floats:
    return np.asarray(np.sum(odds, axis=0, dtype=np.float32) / np.float32(len(odds)), dtype=np.float32)


def fit_forests(
    rows: Floats, bought: NDArray[np.bool_], size: Floats, seed: int, most: int = ROWS,
    relative: NDArray[np.int64] | None = None, pairs: int = 1,
) -> Forests:  # fmt: skip
    """Fit on candidate rows (whether it was bought, and the size of that next basket); TooLittle when hopeless.

    Of each pair of forests the first sees only the columns at the places `relative`, all when None. Above `most` rows
    each pair draws its own negatives, weighted up. BadPurchases for infinite features or ragged columns.
    """
    if not len(rows) == len(bought) == len(size):
        raise BadPurchases("columns of different lengths")
    if np.isinf(rows).any() or not np.isfinite(size).all() or (size <= 0).any():
        raise BadPurchases("a feature is infinite or a basket has no size")
    if bought.sum() < LEAST_POSITIVES or bought.all():
        raise TooLittle("too few purchases to learn from")
    seen = np.arange(rows.shape[1]) if relative is None else relative
    limits: list[Floats] = []
    plain, by_basket = [], []
    for start in range(seed, seed + 2 * pairs, 2):
        chosen, weight = _drawn(bought, start, most)
        limits = limits or edges(rows[chosen])
        bins, given = binned(rows[chosen], limits), bought[chosen]
        one = planted(_fitted(bins[:, seen], given, weight, start), [limits[place] for place in seen.tolist()])
        plain.append(replace(one, feature=seen[one.feature].astype(np.int32)))
        by_basket.append(planted(_fitted(bins, given, weight / size[chosen], start + 1), limits))
    return Forests(tuple(plain), tuple(by_basket))


def fit_nets(rows: Floats, bought: NDArray[np.bool_], size: Floats, seed: int, most: int = NET_ROWS) -> tuple[Net, ...]:
    """Fit a network that counts purchases alike and one that counts baskets alike, each on so many rows at most."""
    quantiles, ends = quantiles_of(rows[_drawn(bought, seed, most)[0]])
    found = []
    for one, weighed in ((seed, False), (seed + 1, True)):
        chosen, weight = _drawn(bought, one, most)
        given = weight / size[chosen] if weighed else weight
        found.append(fit_net(rows[chosen], bought[chosen], given, one, quantiles, ends))
    return tuple(found)


def _drawn(bought: NDArray[np.bool_], seed: int, most: int) -> tuple[NDArray[np.int64], Floats]:
    positive, negative = np.flatnonzero(bought), np.flatnonzero(~bought)
    rng = np.random.default_rng(seed)
    if len(positive) > most // 3:
        positive = np.sort(rng.choice(positive, most // 3, replace=False))
    room = max(most - len(positive), len(positive))
    scale_positive = bought.sum() / len(positive)
    scale_negative = max(1.0, len(negative) / room)
    if scale_negative > 1:
        negative = np.sort(rng.choice(negative, room, replace=False))
    chosen = np.concatenate([positive, negative])
    weight = np.repeat([scale_positive, scale_negative], [len(positive), len(negative)]).astype(np.float32)
    order = np.argsort(chosen)
    return chosen[order], weight[order]


def _fitted(bins: Floats, bought: NDArray[np.bool_], weight: Floats, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    trees, least = min(TREES, max(FEW_TREES, len(bins) // ROWS_A_TREE)), max(20, len(bins) // 2000)
    model = HistGradientBoostingClassifier(
        max_iter=trees, learning_rate=RATE, max_leaf_nodes=LEAVES, min_samples_leaf=least,
        l2_regularization=5.0, max_features=0.5, early_stopping=False, random_state=seed,
    )  # fmt: skip
    with one_thread():
        model.fit(bins, bought, sample_weight=weight / weight.mean())
    return model


def joined(odds: Floats, simple: Floats, part: float) -> Floats:
    """Return log odds + part · log(simple score); an infinite part is the simple score alone."""
    if np.isinf(part):
        return np.asarray(np.log(simple + FLOOR), dtype=np.float32)
    return np.asarray(odds + part * np.log(simple + FLOOR), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Calibration:
    """A rising map from score to probability, linear between its points."""

    score: NDArray[np.float64]
    probability: NDArray[np.float64]

    def __call__(self, score: Floats) -> Floats:
        return np.interp(score, self.score, self.probability).astype(np.float32)


def calibrated(score: Floats, bought: NDArray[np.bool_]) -> Calibration:
    """Return the isotonic calibration of scores by what happened; TooLittle without rows, BadPurchases for NaN."""
    if not len(score):
        raise TooLittle("nothing to calibrate on")
    if not np.isfinite(score).all():
        raise BadPurchases("a score is NaN or infinite")
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(score.astype(np.float64), bought)
    return Calibration(np.asarray(model.X_thresholds_, np.float64), np.asarray(model.y_thresholds_, np.float64))


@dataclass(frozen=True, slots=True)
class Simple:
    """A score without learning: `own` of the member's decayed share, the rest of alike members'; ties by popularity."""

    column: str
    own: float
    lender: str = "alike"

    def __call__(self, columns: Mapping[str, Floats]) -> Floats:
        score = self.own * columns[self.column] + (1 - self.own) * columns[self.lender] + TIES * columns["popular"]
        return np.asarray(score, dtype=np.float32)


SIMPLE_DEFAULT = Simple("history_0.33", 0.9)


def gain(member: NDArray[Any], score: Floats, bought: NDArray[np.bool_], size: Floats) -> tuple[float, float]:
    """Return mean Recall@10 and NDCG@10 over the members of candidate pairs; what is no candidate counts as missed."""
    recall, ndcg = gains(member, score, bought, size)
    return float(recall.mean()), float(ndcg.mean())


def gains(
    member: NDArray[Any], score: Floats, bought: NDArray[np.bool_], size: Floats
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Recall@10 and NDCG@10 of each member of candidate pairs."""
    place = ranks(member, score).astype(np.int64)
    hit = bought & (place < TOP)
    who = np.cumsum(np.concatenate([[True], member[1:] != member[:-1]])) - 1
    discount = 1 / np.log2(np.arange(TOP) + 2)
    best = np.cumsum(discount)[np.minimum(size, TOP).astype(np.int64) - 1]
    ndcg = np.where(hit, discount[np.minimum(place, TOP - 1)], 0) / best
    return np.bincount(who, hit / size).astype(np.float64), np.bincount(who, ndcg).astype(np.float64)


def best_simple(
    member: NDArray[Any], columns: Mapping[str, Floats], bought: NDArray[np.bool_], size: Floats
) -> Simple:  # fmt: skip
    """Return the simple score that ranked what came next best (product of both measures); ties go to the first."""
    tried = [SIMPLE_DEFAULT, *(Simple(column, own) for column in OWN_COLUMNS for own in OWN_PARTS)]
    best = max(tried, key=lambda simple: _worth(gain(member, simple(columns), bought, size)))
    tried = [best, *(Simple(best.column, own, lender) for lender in LENDERS for own in LENT_OWN_PARTS)]
    return max(tried, key=lambda simple: _worth(gain(member, simple(columns), bought, size)))


def better_together(
    member: NDArray[Any], alone: Floats, together: Floats, bought: NDArray[np.bool_], size: Floats
) -> bool:  # fmt: skip
    """Tell whether the second score ranked what came next better than the first (sum of both measures, relative)."""
    one, other = (gain(member, score, bought, size) for score in (alone, together))
    return sum(new / max(old, 1e-9) for old, new in zip(one, other, strict=True)) > len(one)


def best_part(
    member: NDArray[Any], odds: Floats, simple: Floats, bought: NDArray[np.bool_], size: Floats
) -> float:  # fmt: skip
    """Return how much of log(simple) joins the odds best: infinity when the forests don't help.

    Of the finite parts the smallest no more than one standard error (of the members' paired differences) behind the
    best: two cuts say little of small differences, and forests that learn from more need less of it.
    """
    measures = {part: gains(member, joined(odds, simple, part), bought, size) for part in PARTS}
    whole = [max(float(measure.mean()), 1e-9) for measure in measures[np.inf]]
    merit = {part: recall / whole[0] + ndcg / whole[1] for part, (recall, ndcg) in measures.items()}
    best = max(PARTS, key=lambda part: np.mean(merit[part]))
    if np.isinf(best):
        return best
    behind = {part: merit[best] - merit[part] for part in PARTS if part <= best}
    error = 1 / np.sqrt(len(merit[best]))
    return min(part for part, lost in behind.items() if np.mean(lost) <= np.std(lost) * error)


def relative_places(names: Sequence[str]) -> NDArray[np.int64]:
    """Return the places of the columns that name no item and no member: shares, ranks and cycles."""
    return np.array([place for place, name in enumerate(names) if name.startswith(RELATIVE)], dtype=np.int64)


def _worth(measures: tuple[float, float]) -> float:
    return measures[0] * measures[1]
