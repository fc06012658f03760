"""What a coupon of a pack is worth to the shop: spend-and-save by a member's own baskets, product coupons by chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommend.pack import EPSILON, BadPack

Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True)
class SpendAndSave:
    """A rung of the shop's ladder: 满 `threshold` 减 `off`, in 分."""

    threshold: int
    off: int

    def __post_init__(self) -> None:
        """Raise BadPack unless 0 < off < threshold."""
        if not 0 < self.off < self.threshold:
            raise BadPack("a spend-and-save coupon takes off less than its threshold")


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the shop believes of its members, to be checked by a hold-out, not learnt here.

    `margin`: of turnover; `reach`: a basket this far below the threshold can be stretched; `pull`: how often it is;
    `visit`: chance that a coupon within reach brings a visit that would not have been; `prior`: how many baskets the
    shop's own count for.
    """

    margin: float = 0.25
    reach: float = 0.3
    pull: float = 0.35
    visit: float = 0.08
    prior: float = 3.0


@dataclass(frozen=True, slots=True)
class SpendValue:
    """Of one rung for one member: expected gain and expected cost in 分, and how often a basket reaches it unaided."""

    rung: int
    value: float
    cost: int
    unaided: float


def spend_values(
    baskets: Sequence[int], shop: Sequence[int], ladder: Sequence[SpendAndSave], belief: Stretch | None = None
) -> list[SpendValue]:
    """Return what each rung would bring on the member's next basket, from the member's own basket sizes in 分.

    With P = share of baskets ≥ T, S = share in [(1 − reach)·T, T), short of T by s on average, M = mean of max(size, T)
    of both: gain = margin·pull·S·s + visit·margin·(P + S)·M − off·(P + pull·S + visit·(P + S)). A threshold out of
    reach brings nothing. A cold member is the shop's `prior` baskets.
    """
    trust = belief or Stretch()
    if not shop or not ladder or min([*shop, *baskets]) < 0:
        raise BadPack("a ladder and the shop's own baskets are needed, none negative")
    sizes = np.array([*baskets, *shop], dtype=np.float64)
    weight = np.r_[np.ones(len(baskets)), np.full(len(shop), trust.prior / len(shop))]
    weight /= weight.sum()
    return [_spend_value(place, rung, sizes, weight, trust) for place, rung in enumerate(ladder)]


def _spend_value(place: int, rung: SpendAndSave, sizes: Numbers, weight: Numbers, trust: Stretch) -> SpendValue:
    within = sizes >= (1 - trust.reach) * rung.threshold
    near = within & (sizes < rung.threshold)
    unaided = float(weight[sizes >= rung.threshold].sum())
    used = unaided + trust.pull * float(weight[near].sum()) + trust.visit * float(weight[within].sum())
    more = trust.pull * float(weight[near] @ (rung.threshold - sizes[near]))
    more += trust.visit * float(weight[within] @ np.maximum(sizes[within], rung.threshold))
    return SpendValue(place, trust.margin * more - used * rung.off, round(min(1.0, used) * rung.off), unaided)


def product_value(
    chance: Numbers, price: Numbers, off: Numbers, margin: float, extra: float
) -> tuple[Numbers, Numbers]:
    """Return expected gain and cost in 分: chance·(extra·(margin·price − off) − (1 − extra)·off), and ⌈chance·off⌉.

    `extra`: share of redemptions that would not have been bought, as measured by a hold-out; a coupon on what is bought
    anyway costs `off` and brings nothing.
    """
    columns = [np.asarray(column, dtype=np.float64) for column in (chance, price, off)]
    if any(not np.isfinite(column).all() or (column < 0).any() for column in columns) or (columns[0] > 1).any():
        raise BadPack("chances lie in 0..1, prices and discounts from 0, none NaN")
    gain = columns[0] * (extra * margin * columns[1] - columns[2])
    return gain, np.ceil(columns[0] * columns[2] - EPSILON).astype(np.int64)
