"""Leaning: what a member's spending tips towards (category, price, brand), how much an order holds, how it is paid.

Every figure is of purchases before the cut; amounts in 分, quantities in pieces.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recommend.matrix import Amounts, BadPurchases, Labels, PurchaseLog
from recommend.visits import Figures, Whole, visits

MONTH = 30
PRIOR = 2.0


@dataclass(frozen=True, slots=True)
class Leaning:
    """Sparse, rising by (member, group): `share` of the member's purchase days, `index` against the shop's share.

    index = (n_mg + PRIOR · p_g) / ((n_m + PRIOR) · p_g): 1 is as everybody, 2 twice as much (category development
    index of a customer, with a pseudo-count against small numbers).
    """

    members: Labels
    groups: Labels
    member: Whole
    group: Whole
    share: Figures
    index: Figures

    def strongest(self, row: int, least: float = 1.2) -> list[str]:
        """Return the groups a member leans to, most days first, of those bought `least` times as much as by others."""
        mine = np.flatnonzero((self.member == row) & (self.index >= least))
        order = np.lexsort((self.group[mine], -self.share[mine]))
        return [str(self.groups[group]) for group in self.group[mine[order]]]


def leaning(log: PurchaseLog, cut: int, groups: ArrayLike) -> Leaning:
    """Return the leaning of members to groups of items: categories, brands, makers; '' is no group."""
    level = log.at_level(groups).before(cut)
    if not len(level):
        raise BadPurchases(f"no purchases of any group before day {cut}")
    width = len(level.items)
    pairs, days = np.unique(level.member.astype(np.int64) * width + level.item, return_counts=True)
    member, group = pairs // width, pairs % width
    overall = np.bincount(level.item, minlength=width) / len(level)
    total = np.bincount(level.member, minlength=len(level.members))[member]
    index = (days + PRIOR * overall[group]) / ((total + PRIOR) * overall[group])
    return Leaning(level.members, level.items, member, group, days / total, index)


@dataclass(frozen=True, slots=True)
class PriceLeaning:
    """Per member with a judged purchase: mean place 0 (cheapest) to 1 (dearest) of what was bought, and on how many."""

    members: Labels
    place: Figures
    judged: Whole

    def explain(self, row: int) -> str:
        """Return the word a marketer reads."""
        place = float(self.place[row])
        return "偏好高价位" if place >= 0.6 else "偏好低价位" if place <= 0.4 else "价位适中"


def price_leaning(log: PurchaseLog, cut: int, types: ArrayLike) -> PriceLeaning:
    """Return where within its type a member's purchases stand by unit price (分 a piece, over the shop, before `cut`).

    An item's place is the mid-rank of its price among the type's items, weighed by their purchase days, so the shop's
    mean is ½; the member's is (Σ place + PRIOR/2) / (days + PRIOR). Types of one item say nothing and are left out.
    """
    past = log.before(cut)
    place = _places(past, np.asarray(types).astype(str))
    rows = ~np.isnan(place[past.item]) & (past.amount > 0)
    if not rows.any():
        raise BadPurchases("no type with two priced items")
    member = past.member[rows]
    days = np.bincount(member, minlength=len(past.members))
    total = np.bincount(member, place[past.item[rows]], len(past.members))
    some = days > 0
    return PriceLeaning(past.members[some], ((total + PRIOR / 2) / (days + PRIOR))[some], days[some])


def unit_price(log: PurchaseLog) -> Figures:
    """Return 分 a piece of each item over the whole log, NaN where none was paid for."""
    paid = log.amount > 0
    amount = np.bincount(log.item[paid], log.amount[paid], len(log.items))
    pieces = np.bincount(log.item[paid], log.quantity[paid], len(log.items))
    return np.asarray(np.where(pieces > 0, amount / np.maximum(pieces, 1), np.nan))


def _places(log: PurchaseLog, types: NDArray[np.str_]) -> Figures:
    if len(types) != len(log.items):
        raise BadPurchases("one type is needed for each item")
    names, kind = np.unique(types, return_inverse=True)
    price, days = unit_price(log), np.bincount(log.item, minlength=len(log.items)).astype(np.float64)
    found = np.full(len(types), np.nan)
    order = np.lexsort((price, kind))
    order = order[~np.isnan(price[order]) & (names[kind[order]] != "")]
    for items in np.split(order, np.flatnonzero(np.diff(kind[order])) + 1):
        if len(items) > 1:
            below = np.searchsorted(price[items], price[items], side="left")
            above = np.searchsorted(price[items], price[items], side="right")
            sold = np.concatenate([[0.0], np.cumsum(days[items])])
            found[items] = (sold[below] + sold[above]) / (2 * sold[-1])
    return found


@dataclass(frozen=True, slots=True)
class Habits:
    """Per member in the window: pieces and items an order (连带率), 分 an order, orders a 30 days.

    连带率 = pieces sold / orders (units per transaction); a member's purchases of one day count as one order.
    """

    members: Labels
    orders: Whole
    pieces_per_order: Figures
    items_per_order: Figures
    amount_per_order: Figures
    orders_per_month: Figures

    def explain(self, row: int) -> str:
        """Return the sentence a marketer reads."""
        each = f"{self.pieces_per_order[row]:.1f}件、{self.amount_per_order[row] / 100:.2f}元"
        return f"每月{self.orders_per_month[row]:.1f}单,每单{each}"


def habits(log: PurchaseLog, cut: int, window: int = 365) -> Habits:
    """Return the habits of everybody with a purchase in the window; a month's orders are counted from the first day."""
    found = visits(log, cut)
    since = cut - window
    orders = found.total(np.ones(len(found.day), dtype=np.int64), since)
    some = orders > 0
    if not some.any():
        raise BadPurchases(f"no purchases in the {window} days before day {cut}")
    sums = [found.total(column, since)[some] for column in (found.pieces, found.items, found.amount)]
    count, known = orders[some], cut - np.maximum(found.first[some], since)
    pieces, items, amount = (total / count for total in sums)
    return Habits(found.members[some], count, pieces, items, amount, count * MONTH / np.maximum(known, MONTH))


@dataclass(frozen=True, slots=True)
class Money:
    """Per member: shares of paid 分 that came from stored principal and gift balance, share taken off, points used.

    `points_used` = points spent / points earned (redemption rate of a loyalty scheme); NaN where none were earned.
    """

    stored: Figures
    gift: Figures
    discount: Figures
    points_used: Figures


def money(
    paid: Amounts, principal: Amounts, gift: Amounts, discount: Amounts, earned: Whole, spent: Whole
) -> Money:  # fmt: skip
    """Return the payment and points profile from each member's totals, all of one length and not negative."""
    columns = [np.asarray(column) for column in (paid, principal, gift, discount, earned, spent)]
    if len({len(column) for column in columns}) != 1 or not len(columns[0]):
        raise BadPurchases("totals of different lengths, or none")
    if any(not np.issubdtype(column.dtype, np.integer) or column.min() < 0 for column in columns):
        raise BadPurchases("totals are whole numbers from 0 up")
    whole = np.maximum(paid, 1)
    used = np.where(earned > 0, spent / np.maximum(earned, 1), np.nan)
    return Money(principal / whole, gift / whole, discount / np.maximum(paid + discount, 1), used)
