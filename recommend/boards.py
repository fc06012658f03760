"""Boards for marketers, worked out of the whole log on asking: who carries the sales, what sells together or not."""

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from recommend import association, bundle, trade_up, value
from recommend.baskets import Goods
from recommend.books import Shelf
from recommend.matrix import BadPurchases, PurchaseLog
from recommend.standing import Standing
from recommend.value import Concentration

DAYS, LISTED = 180, 20


@dataclass(frozen=True, slots=True)
class ValueBoard:
    """How sales fall on members: deciles, life cycle, RFM groups and own-brand quadrants, as {word: members}."""

    concentration: Concentration
    stages: dict[str, int]
    rfm: dict[str, int]
    rfm_version: str
    loyalty: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return the board as data; money in 分."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Together:
    """Two articles in one basket: baskets with both, times chance, share of the first's baskets, plain lift."""

    first: str
    second: str
    baskets: int
    beyond: float
    share: float
    lift: float


@dataclass(frozen=True, slots=True)
class Step:
    """A dearer article of the type that buyers of the usual one took up: members it is open to, chance, extra 分."""

    usual: str
    dearer: str
    members: int
    chance: float
    extra: int


@dataclass(frozen=True, slots=True)
class Lying:
    """An article that lies: pieces in stock, sold of late, days they last (None: none sold), what to bundle it with.

    `partner` is '' where nothing goes with it beyond chance; `price` is 分 for one of each, None where one has none.
    """

    sku: str
    name: str
    stock: int
    sold: int
    cover: float | None
    partner: str = ""
    partner_name: str = ""
    beyond: float = 0.0
    price: int | None = None


def value_board(receipts: PurchaseLog, today: int, where: Standing) -> ValueBoard:
    """Return the value board of the year before the morning of `today`."""
    found = value.concentration(value.value(receipts, today))
    counted = [
        dict(Counter(str(one) for one in part.tolist() if one)) for part in (where.stage, where.rfm, where.loyalty)
    ]
    return ValueBoard(found, counted[0], counted[1], where.version, counted[2])


def together(log: PurchaseLog, today: int, shelf: Shelf, most: int = LISTED) -> list[Together]:
    """Return the pairs of the last half year farthest beyond chance, of different categories; none when too little."""
    try:
        found = association.pairs(log, today, since=today - DAYS).companions()
    except BadPurchases:
        return []
    found = found.kept(np.flatnonzero(shelf.category[found.left] != shelf.category[found.right])[:most])
    return [
        Together(
            *_named(shelf, left, right), int(both), round(float(beyond), 2),
            round(float(both / of_left), 3), round(float(lift), 2),
        )
        for left, right, both, beyond, of_left, lift in zip(
            found.left, found.right, found.baskets, found.beyond, found.of_left, found.lift, strict=True
        )
    ]  # fmt: skip


def steps(log: PurchaseLog, today: int, shelf: Shelf, most: int = LISTED) -> list[Step]:
    """Return the trade-ups that promise most money over the members they are open to."""
    try:
        found = trade_up.trade_ups(log, today, shelf.type)
    except BadPurchases:
        return []
    pair = found.usual * len(log.items) + found.premium
    keys, at, members = np.unique(pair, return_index=True, return_counts=True)
    money = members * found.chance[at] * found.extra[at]
    best = np.lexsort((keys, -money))[:most]
    return [
        Step(
            *_named(shelf, found.usual[at[row]], found.premium[at[row]]), int(members[row]),
            round(float(found.chance[at[row]]), 3), round(float(found.extra[at[row]])),
        )
        for row in best.tolist()
    ]  # fmt: skip


def lying(
    log: PurchaseLog, today: int, shelf: Shelf, goods: Mapping[str, Goods], stock: Mapping[str, int],
    sold: Mapping[str, int], *, window: int, cover: float, most: int = LISTED,
) -> list[Lying]:  # fmt: skip
    """Return what lies longest of the articles (`goods`, by sku) and what each could be bundled with.

    A partner is sold today, of another category, does not lie itself, and was bought with it beyond chance.
    """
    skus = [sku for sku in goods if goods[sku].active]
    pieces = (np.array([of.get(sku, 0) for sku in skus], dtype=np.int64) for of in (stock, sold))
    slow = bundle.slow_items(*pieces, window=window, cover=cover)
    listed = slow[:most]
    beside = _partners(log, today, shelf, {skus[one.item] for one in slow}, {skus[one.item] for one in listed})
    found = []
    for one in listed:
        sku = skus[one.item]
        days = None if np.isinf(one.cover) else round(one.cover, 1)
        with_it = beside.get(sku)
        if with_it is None:
            found.append(Lying(sku, goods[sku].name, one.stock, one.sold, days))
            continue
        partner, name, beyond, asked = with_it
        price = goods[sku].price
        both = None if price is None or not asked else price + asked
        found.append(Lying(sku, goods[sku].name, one.stock, one.sold, days, partner, name, round(beyond, 2), both))
    return found


def _partners(
    log: PurchaseLog, today: int, shelf: Shelf, slow: Set[str], wanted: Set[str]
) -> dict[str, tuple[str, str, float, int]]:
    """Return {sku: (sku of its partner, name, times chance, 分)} of the wanted; what is slow is nobody's partner."""
    try:
        pairs = association.pairs(log, today).companions()
    except BadPurchases:
        return {}
    lies = np.isin(shelf.sku.astype(str), sorted(slow))
    other = shelf.category[pairs.left] != shelf.category[pairs.right]
    fit = other & shelf.active[pairs.left] & shelf.active[pairs.right] & (lies[pairs.left] != lies[pairs.right])
    pairs, found = pairs.kept(np.flatnonzero(fit)), {}
    for item in np.flatnonzero(np.isin(shelf.sku.astype(str), sorted(wanted))).tolist():
        best = bundle.companion(item, pairs)
        if best is not None:
            sku, name, price = (column[best[0]] for column in (shelf.sku, shelf.name, shelf.price))
            found[str(shelf.sku[item])] = str(sku), str(name), best[1], int(price)
    return found


def _named(shelf: Shelf, one: int, other: int) -> tuple[str, str]:
    """Return the names of two articles, with their skus where one name would stand for both."""
    names = str(shelf.name[one]), str(shelf.name[other])
    if names[0] != names[1]:
        return names
    return f"{names[0]}({shelf.sku[one]})", f"{names[1]}({shelf.sku[other]})"
