"""Slow stock, the article it goes with, and the members likeliest to take it.

cover = pieces in stock / pieces sold a day in the window (days of inventory); slow is a cover above a limit, or no
sale at all. A member's likelihood for an item: Σ_i cosine(i, item) · w_i / √(1 + Σ_i w_i) with w_i = log(1 + purchase
days of i) and the cosine over who bought each (item-to-item collaborative filtering, Sarwar et al. 2001; Deshpande &
Karypis 2004), plus log(1 + Σ w_i over the item's kin); both standardised over members.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from recommend.association import Pairs
from recommend.matrix import BadPurchases, Labels, PurchaseLog
from recommend.visits import Figures, Whole


@dataclass(frozen=True, slots=True)
class SlowItem:
    """An item (code) that lies: pieces in stock, pieces sold in the window, days of cover (infinite without a sale)."""

    item: int
    stock: int
    sold: int
    cover: float


@dataclass(frozen=True, slots=True)
class Audience:
    """Likelihood of each member (labels of the log) to buy an item: 0 is the average, only the order counts."""

    members: Labels
    score: Figures

    def best(self, most: int) -> Whole:
        """Return codes of the likeliest members, likeliest first, none below the average."""
        order = np.lexsort((np.arange(len(self.score)), -self.score))[:most]
        return np.asarray(order[self.score[order] > 0])


def slow_items(stock: ArrayLike, sold: ArrayLike, *, window: int, cover: float) -> list[SlowItem]:
    """Return items whose stock would last longer than `cover` days, longest first.

    `stock`: pieces of each item, whole from 0 up; `sold`: pieces of each sold in the last `window` days, by anybody.
    """
    pieces, gone = np.asarray(stock), np.asarray(sold)
    for each in (pieces, gone):
        if not np.issubdtype(each.dtype, np.integer) or (each < 0).any() or each.shape != pieces.shape:
            raise BadPurchases("stock and sales are needed for each item, whole pieces from 0 up")
    with np.errstate(divide="ignore", invalid="ignore"):
        days = np.where(gone > 0, pieces * window / gone, np.inf)
    lying = np.flatnonzero((pieces > 0) & (days > cover))
    order = lying[np.lexsort((lying, -pieces[lying], -days[lying]))]
    return [SlowItem(int(item), int(pieces[item]), int(gone[item]), float(days[item])) for item in order]


def companion(item: int, pairs: Pairs) -> tuple[int, float] | None:
    """Return what goes with an item (code) farthest beyond chance, and how many times; None when nothing does."""
    rows = np.flatnonzero((pairs.left == item) | (pairs.right == item))
    if not len(rows):
        return None
    row = rows[np.argmax(pairs.beyond[rows])]
    return int(pairs.left[row] + pairs.right[row] - item), float(pairs.beyond[row])


@dataclass(frozen=True, slots=True)
class Tastes:
    """Who bought what before a cut: sparse (members × items), plain and as log(1 + purchase days)."""

    members: Labels
    bought: Any
    weight: Any


def tastes(log: PurchaseLog, cut: int) -> Tastes:
    """Return everybody's purchases before day `cut`; BadPurchases when there are none."""
    from scipy.sparse import csr_matrix

    past = log.before(cut)
    if not len(past):
        raise BadPurchases(f"no purchases before day {cut}")
    shape = (len(log.members), len(log.items))
    days = csr_matrix((np.ones(len(past)), (past.member, past.item)), shape=shape)
    return Tastes(log.members, days.sign().tocsc(), days.log1p())


def likely_buyers(found: Tastes, item: int, kin: ArrayLike = ()) -> Audience:
    """Return who is likeliest to buy an item; `kin` are codes of its type, the item may be among them."""
    wanted, like = found.bought[:, [item]], np.asarray(kin, dtype=np.int64)
    buyers = np.sqrt(np.asarray(found.bought.sum(axis=0)).ravel() * float(wanted.sum()))
    both = np.asarray((found.bought.T @ wanted).todense()).ravel()
    cosine = np.divide(both, buyers, out=np.zeros(len(both)), where=buyers > 0)
    every = np.asarray(found.weight.sum(axis=1)).ravel()
    of_kin = np.asarray(found.weight[:, like].sum(axis=1)).ravel()
    score = _standard((found.weight @ cosine) / np.sqrt(1 + every)) + _standard(np.log1p(of_kin))
    return Audience(found.members, score)


def _standard(values: Figures) -> Figures:
    spread = values.std()
    return np.asarray((values - values.mean()) / spread if spread > 1e-9 else np.zeros(len(values)))
