"""Bundles: slow stock, the article it goes with, and the members likeliest to take it.

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


@dataclass(frozen=True, slots=True)
class Bundle:
    """Two articles (codes), one price: the slow one and its partner, times chance, and for whom (member codes)."""

    slow: SlowItem
    partner: int
    beyond: float
    members: Whole


def slow_items(log: PurchaseLog, cut: int, stock: ArrayLike, *, window: int = 90, cover: float = 120) -> list[SlowItem]:
    """Return items whose stock (pieces, one entry an item) would last longer than `cover` days, longest first."""
    pieces = np.asarray(stock)
    if len(pieces) != len(log.items) or not np.issubdtype(pieces.dtype, np.integer) or (pieces < 0).any():
        raise BadPurchases("stock is needed for each item, whole pieces from 0 up")
    past = log.before(cut)
    recent = past.day >= cut - window
    sold = np.bincount(past.item[recent], past.quantity[recent], len(log.items)).astype(np.int64)
    with np.errstate(divide="ignore", invalid="ignore"):
        days = np.where(sold > 0, pieces * window / sold, np.inf)
    lying = np.flatnonzero((pieces > 0) & (days > cover))
    order = lying[np.lexsort((lying, -pieces[lying], -days[lying]))]
    return [SlowItem(int(item), int(pieces[item]), int(sold[item]), float(days[item])) for item in order]


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
    score = standard((found.weight @ cosine) / np.sqrt(1 + every)) + standard(np.log1p(of_kin))
    return Audience(found.members, score)


def bundle(slow: SlowItem, pairs: Pairs, found: Tastes, most: int, kin: ArrayLike = ()) -> Bundle | None:
    """Return the slow item with its companion farthest beyond chance, for who may want both; None without one."""
    rows = np.flatnonzero((pairs.left == slow.item) | (pairs.right == slow.item))
    if not len(rows):
        return None
    row = rows[np.argmax(pairs.beyond[rows])]
    partner = int(pairs.left[row] + pairs.right[row] - slow.item)
    both = np.minimum(likely_buyers(found, slow.item, kin).score, likely_buyers(found, partner).score)
    return Bundle(slow, partner, float(pairs.beyond[row]), Audience(found.members, both).best(most))


def standard(values: Figures) -> Figures:
    """Return values with mean 0 and deviation 1; all 0 where they do not differ."""
    spread = values.std()
    return np.asarray((values - values.mean()) / spread if spread > 1e-9 else np.zeros(len(values)))
