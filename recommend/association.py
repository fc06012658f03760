"""Companion products (搭售): pairs found in one basket more often than chance, each basket a member's day.

support = P(a, b), confidence = P(b | a), lift = P(a, b) / (P(a)·P(b)) as in Agrawal, Imieliński & Swami (1993) and
Brin et al. (1997). In a supermarket nearly every pair has a lift above 1, because big baskets hold everything and
members differ; so chance here keeps both: with member m's basket sizes s_b and a_mi baskets with item i, expected =
Σ_m a_mi·a_mj·Σ_b s_b(s_b − 1) / ((Σ_i a_mi)² − Σ_i a_mi²), the member's own purchases reshuffled over the member's own
baskets: over all pairs of items it comes to just the pairs there are. p is the Poisson tail of the pairs seen, q its
Benjamini–Hochberg adjustment (1995) over all pairs of items frequent enough to be asked about.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from recommend.matrix import BadPurchases, Labels, PurchaseLog
from recommend.visits import Figures, Whole

LEAST, TOGETHER, CHUNK = 20, 5, 20_000
PULL = 2.0


@dataclass(frozen=True, slots=True)
class Pairs:
    """All pairs asked about that were seen at least TOGETHER times: item codes, left < right, and what is told of each.

    `asked` is how many pairs were candidates; `support` … `lift` are the plain figures, `expected` what chance gives.
    """

    items: Labels
    asked: int
    left: Whole
    right: Whole
    baskets: Whole
    total: int
    of_left: Whole
    of_right: Whole
    expected: Figures
    q: Figures

    @property
    def support(self) -> Figures:
        return np.asarray(self.baskets / self.total)

    @property
    def lift(self) -> Figures:
        return np.asarray(self.baskets * self.total / (self.of_left * self.of_right))

    @property
    def beyond(self) -> Figures:
        """Return how many times chance: (PULL + seen) / (PULL + expected), pulled to 1 where little was seen."""
        return np.asarray((PULL + self.baskets) / (PULL + self.expected))

    def kept(self, rows: Any) -> "Pairs":
        """Return the pairs of an index or mask."""
        names = ("left", "right", "baskets", "of_left", "of_right", "expected", "q")
        picked = {name: getattr(self, name)[rows] for name in names}
        return Pairs(items=self.items, asked=self.asked, total=self.total, **picked)

    def companions(self, level: float = 0.05) -> "Pairs":
        """Return the pairs that hold at a false-discovery rate, farthest beyond chance first."""
        found = self.kept(self.q <= level)
        return found.kept(np.lexsort((found.right, found.left, -found.beyond)))

    def of(self, item: int, most: int = 3) -> list["Companion"]:
        """Return the companions of an item (code) among these pairs, in their order."""
        rows = np.flatnonzero((self.left == item) | (self.right == item))[:most]
        return [self._companion(int(row), item) for row in rows]

    def _companion(self, row: int, item: int) -> "Companion":
        turned = self.right[row] == item
        other, mine = (self.left, self.of_right) if turned else (self.right, self.of_left)
        share = float(self.baskets[row] / mine[row])
        figures = (float(self.support[row]), share, float(self.lift[row]), float(self.beyond[row]), float(self.q[row]))
        return Companion(self.items[other[row]], *figures)


@dataclass(frozen=True, slots=True)
class Companion:
    """What goes with an item: its label, support, confidence P(it | the item), lift, times chance, adjusted p."""

    item: object
    support: float
    confidence: float
    lift: float
    beyond: float
    q: float

    def explain(self) -> str:
        """Return the sentence a marketer reads."""
        return f"{self.confidence:.0%}的小票同时买,是各买各的{self.beyond:.1f}倍"


@dataclass(frozen=True, slots=True)
class Baskets:
    """Purchases before a cut by basket: sparse (baskets × items asked about), owner (position) and size of each basket.

    `share` is each owner's pairs in baskets over the pairs of purchases of different items.
    """

    items: Whole
    holds: Any
    owner: Whole
    share: Figures


def baskets(log: PurchaseLog, cut: int, least: int = LEAST, since: int | None = None) -> Baskets:
    """Return the baskets from day `since` to before `cut`, with items of at least `least`; BadPurchases when none."""
    from scipy.sparse import csr_matrix

    past = log.before(cut) if since is None else log.before(cut).since(since)
    if not len(past):
        raise BadPurchases(f"no purchases before day {cut}")
    first = np.ones(len(past), dtype=np.bool_)
    first[1:] = (past.member[1:] != past.member[:-1]) | (past.day[1:] != past.day[:-1])
    basket = np.cumsum(first) - 1
    items = np.flatnonzero(np.bincount(past.item, minlength=len(past.items)) >= least)
    place = np.full(len(past.items), -1, dtype=np.int64)
    place[items] = np.arange(len(items))
    rows = place[past.item] >= 0
    shape = (int(basket[-1]) + 1, len(items))
    ones = np.ones(int(rows.sum()), dtype=np.int64)
    holds = csr_matrix((ones, (basket[rows], place[past.item[rows]])), shape=shape)
    owner = np.unique(past.member[first], return_inverse=True)[1]
    return Baskets(items, holds, owner, _share(past, owner, np.bincount(basket)))


def _share(past: PurchaseLog, owner: Whole, size: Whole) -> Figures:
    pair = past.member.astype(np.int64) * len(past.items) + past.item
    keys, bought = np.unique(pair, return_counts=True)
    member = np.unique(keys // len(past.items), return_inverse=True)[1]
    different = np.bincount(owner, size) ** 2 - np.bincount(member, bought.astype(np.float64) ** 2)
    together = np.bincount(owner, size * (size - 1.0))
    return np.asarray(np.divide(together, different, out=np.zeros(len(together)), where=different > 0))


def pairs(log: PurchaseLog, cut: int, *, least: int = LEAST, since: int | None = None) -> Pairs:
    """Return every pair of items with `least` baskets each before day `cut`, and how far it is beyond chance."""
    from scipy.sparse import triu
    from scipy.stats import false_discovery_control, poisson

    found = baskets(log, cut, least, since)
    together = triu(found.holds.T @ found.holds, k=1).tocoo()
    seen = together.data >= TOGETHER
    left, right, count = together.row[seen].astype(np.int64), together.col[seen].astype(np.int64), together.data[seen]
    order = np.lexsort((right, left))
    left, right, count = left[order], right[order], count[order].astype(np.int64)
    expected = by_chance(found, left, right)
    asked = len(found.items) * (len(found.items) - 1) // 2
    p = poisson.sf(count - 1, expected)
    q = np.minimum(1, false_discovery_control(p) * asked / len(p)) if len(p) else p
    of = np.asarray(found.holds.sum(axis=0)).ravel()
    return Pairs(
        log.items, asked, found.items[left], found.items[right], count, found.holds.shape[0], of[left], of[right],
        expected, q,
    )  # fmt: skip


def by_chance(found: Baskets, left: Whole, right: Whole) -> Figures:
    """Return the baskets expected with both of each pair (positions among the items asked about), as told above."""
    from scipy.sparse import csr_matrix, diags

    count = len(found.owner)
    shape = (len(found.share), count)
    owned = csr_matrix((np.ones(count), (found.owner, np.arange(count))), shape=shape) @ found.holds
    weighed, plain = (diags(found.share) @ owned).tocsc(), owned.tocsc()
    parts = [
        np.asarray(weighed[:, left[at : at + CHUNK]].multiply(plain[:, right[at : at + CHUNK]]).sum(axis=0)).ravel()
        for at in range(0, len(left), CHUNK)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)
