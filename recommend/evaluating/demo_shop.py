"""The Complete Journey as it is evaluated: of the demo extra's package, by household, day and product.

Days are those of the package's own timestamps. Without fuel, coupons and miscellany; the published cuts are the morning
of 4 December 2017 (weeks 1–49 are the history) and of 1 October 2017 for timing.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from members.importing.completejourney_names import UNCLASSIFIED, categories, types
from members.importing.completejourney_source import FUEL_TYPE, Article, mend, read_articles, read_lines
from recommend.evaluating.shop import Shop
from recommend.matrix import PurchaseLog, from_arrays

Column = NDArray[Any]
EPOCH = date(1970, 1, 1)
BASKET_CUT, TIMING_CUT = ((day - EPOCH).days for day in (date(2017, 12, 4), date(2017, 10, 1)))
END = (date(2018, 1, 2) - EPOCH).days
DROPPED = ("FUEL", "COUPON/MISC ITEMS", "COUPON", "COUPONS/STORE & MFG")
NOT_TIMED = ("MISCELLANEOUS",)


@dataclass(frozen=True)
class NamedShop:
    """Purchases by product; per product its category, its type with the category, and both in Chinese."""

    log: PurchaseLog
    category: Column
    kind: Column
    chinese: Column


def demo_shop(households: int = 0) -> Shop:
    """Return Complete Journey, of every n-th household so that so many are left (all for 0)."""
    lines, articles = read_lines(), {article.id: article for article in read_articles()[0]}
    products, place = np.unique(lines.product, return_inverse=True)
    found = [articles.get(product) for product in products.tolist()]
    kinds = np.array([one.type if one else "" for one in found])
    groups = np.array([one.category if one and one.category != UNCLASSIFIED else "" for one in found])
    kept = ~np.isin(groups, DROPPED) & (kinds != FUEL_TYPE)
    rows = kept[place]
    if households:
        names = np.unique(lines.household)
        rows &= np.isin(lines.household, names[:: max(1, len(names) // households)])
    log = from_arrays(
        lines.household[rows], lines.seconds[rows] // 86_400, lines.product[rows],
        np.maximum(lines.quantity[rows], 1), lines.sales[rows],
    )  # fmt: skip
    at = np.searchsorted(products, log.items)
    return Shop(log, kinds[at], groups[at], basket_cut=BASKET_CUT, timing_cut=TIMING_CUT, not_timed=NOT_TIMED)


def named_shop() -> NamedShop:
    """Return it with what has a category only, net of void lines, with the names of its goods."""
    articles, _ = read_articles()
    of = {article.id: article for article in articles if article.category not in (*DROPPED, UNCLASSIFIED)}
    lines = mend(read_lines(), articles)
    lines = lines.pick(np.isin(lines.product, list(of)))
    log = from_arrays(lines.household, lines.seconds // 86_400, lines.product, lines.quantity, lines.sales)
    mine = [of[product] for product in log.items.tolist()]
    return NamedShop(
        log,
        np.array([article.category for article in mine]),
        np.array([f"{article.category} {article.type}" for article in mine]),
        np.array([_chinese(article) for article in mine]),
    )


def _chinese(article: Article) -> str:
    known = types()
    kind = known.get((article.category, article.type)) or known.get(("", article.type)) or ""
    return f"{categories()[article.category][0]} {kind}"
