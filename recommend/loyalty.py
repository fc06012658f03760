"""Loyalty: a member's purchases of the own brand against competing brands of the same category.

ratio = own pieces / (own + competing pieces) of a member in a category before the cut: the share of category
requirements (Farris et al., Marketing Metrics; also "share of requirements"). Heavy: at least as many pieces as the
median buyer of the category. Loyal: a ratio of at least one half. Too few purchases are not judged.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from recommend.matrix import BadPurchases, Labels, PurchaseLog
from recommend.visits import Figures, Whole

LEAST = 3


class Quadrant(StrEnum):
    """Heavy or light buyer of the category, loyal to the own brand or not; the value is what a marketer reads."""

    HEAVY_LOYAL = "重度忠诚"
    HEAVY_DISLOYAL = "重度游离"
    LIGHT_LOYAL = "轻度忠诚"
    LIGHT_DISLOYAL = "轻度游离"


@dataclass(frozen=True, slots=True)
class Loyalty:
    """One row a member and category with at least `LEAST` pieces, rising by both; pieces of own and competing brands.

    `member` and `category` are positions in the label arrays, `quadrant` one in `tuple(Quadrant)`.
    """

    members: Labels
    categories: Labels
    member: Whole
    category: Whole
    own: Whole
    rival: Whole
    ratio: Figures
    quadrant: Whole

    def quadrant_of(self, row: int) -> Quadrant:
        """Return the quadrant of a row."""
        return tuple(Quadrant)[int(self.quadrant[row])]

    def explain(self, row: int) -> str:
        """Return the sentence a marketer reads."""
        pieces = self.own[row] + self.rival[row]
        return f"{self.quadrant_of(row)}:买过{pieces}件,其中自有品牌{self.own[row]}件({self.ratio[row]:.0%})"


def loyalty(log: PurchaseLog, cut: int, own: ArrayLike, category: ArrayLike, *, least: int = LEAST) -> Loyalty:
    """Return loyalty per member and category before day `cut`.

    `own` (bool) and `category` (label, '' for none) have one entry an item of the log; BadPurchases when they don't.
    """
    past, mine = log.before(cut), np.asarray(own, dtype=np.bool_)
    names, codes = np.unique(np.asarray(category).astype(str), return_inverse=True)
    if not len(mine) == len(codes) == len(log.items):
        raise BadPurchases("one brand flag and one category are needed for each item")
    if not len(past):
        raise BadPurchases(f"no purchases before day {cut}")
    rows = names[codes[past.item]] != ""
    pair = past.member[rows].astype(np.int64) * len(names) + codes[past.item[rows]]
    pairs, at = np.unique(pair, return_inverse=True)
    pieces, ours = past.quantity[rows].astype(np.int64), mine[past.item[rows]]
    kept = np.bincount(at, pieces * ours, len(pairs)).astype(np.int64)
    other = np.bincount(at, pieces * ~ours, len(pairs)).astype(np.int64)
    return _judged(log, names, pairs, kept, other, least)


def _judged(log: PurchaseLog, names: Labels, pairs: Whole, own: Whole, rival: Whole, least: int) -> Loyalty:
    from scipy.ndimage import median

    category, total = pairs % len(names), own + rival
    seen, group = np.unique(category, return_inverse=True)
    heavy = total >= np.asarray(median(total, category, seen))[group]
    ratio = own / np.maximum(total, 1)
    sure = total >= least
    quadrant = 2 * ~heavy + (ratio < 0.5)
    return Loyalty(
        log.members, names, (pairs // len(names))[sure], category[sure], own[sure], rival[sure], ratio[sure],
        quadrant[sure],
    )  # fmt: skip
