"""How good lists of ten are, and the area under a curve. Recall@10 and NDCG@10 as in `recommend.quality`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from recommend.evaluating.cases import Case
from recommend.matrix import PurchaseLog
from recommend.quality import TOP, measured

Figures = NDArray[np.float64]
NAMES = ("recall", "ndcg", "new_in_ten", "new_of_ten")


@dataclass(frozen=True, slots=True)
class Quality:
    """Four figures per member asked, NaN where there is nothing to find.

    Recall@10 and NDCG@10 of the ten best; the share of the items new to the member in the target that are among the
    ten best, and among the ten best new ones.
    """

    recall: Figures
    ndcg: Figures
    new_in_ten: Figures
    new_of_ten: Figures

    def of(self, name: str) -> Figures:
        """Return one of the figures by its name."""
        return np.asarray(getattr(self, name))

    def mean(self, name: str) -> float:
        """Return its mean over the members that have it, NaN for nobody."""
        figures = self.of(name)
        return float(np.nanmean(figures)) if (~np.isnan(figures)).any() else float("nan")


def quality(items: NDArray[Any], fresh: NDArray[Any], case: Case) -> Quality:
    """Return how good two lists (item codes, −1 for none; rows are `case.asked`) are."""
    recall, ndcg = within(items, case.asked, case.target)
    return Quality(recall, ndcg, *(within(top, case.asked, case.unknown)[0] for top in (items, fresh)))


def within(codes: NDArray[Any], members: NDArray[Any], target: PurchaseLog) -> tuple[Figures, Figures]:
    """Return Recall@10 and NDCG@10 per member; members without a target have NaN."""
    rows = np.isin(members, target.member)
    found = np.full((2, len(members)), np.nan)
    if rows.any():
        found[:, rows] = measured(codes[rows].astype(np.int32), members[rows], target)
    return found[0], found[1]


def best(scores: NDArray[Any], top: int = TOP) -> NDArray[Any]:
    """Return the best places per row, best first, −1 where the score is not finite; ties go by place."""
    count = min(top, scores.shape[1])
    place = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    value = np.take_along_axis(scores, place, axis=1)
    order = np.lexsort((place, -value))
    place, value = np.take_along_axis(place, order, 1), np.take_along_axis(value, order, 1)
    return np.where(np.isfinite(value), place, -1)


def auc(true: NDArray[Any], score: NDArray[Any]) -> float:
    """Return the area under the ROC curve by ranks (Mann–Whitney), ties counted half."""
    yes = int(true.sum())
    return float((rankdata(score)[true].sum() - yes * (yes + 1) / 2) / (yes * (len(true) - yes)))
