"""Complete Journey with the names of its goods, as the benchmarks about members and associations read it."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from members.importing.completejourney_names import UNCLASSIFIED, categories, types
from members.importing.completejourney_source import Article, mend, read_articles, read_lines
from recommend.matrix import PurchaseLog, from_arrays

Column = NDArray[Any]
EPOCH = date(1970, 1, 1)
CUT, END = ((day - EPOCH).days for day in (date(2017, 10, 8), date(2018, 1, 2)))
DRAWS = 2000
DROPPED = (UNCLASSIFIED, "FUEL", "COUPON/MISC ITEMS", "COUPON", "COUPONS/STORE & MFG")


@dataclass(frozen=True)
class Shop:
    """Purchases by product; per product its category, its type with the category, and both in Chinese."""

    log: PurchaseLog
    category: Column
    kind: Column
    chinese: Column


def shop() -> Shop:
    """Return Complete Journey by household, day and product, without fuel, coupons and what has no category."""
    articles, _ = read_articles()
    of = {article.id: article for article in articles if article.category not in DROPPED}
    lines = mend(read_lines(), articles)
    lines = lines.pick(np.isin(lines.product, list(of)))
    log = from_arrays(lines.household, lines.seconds // 86_400, lines.product, lines.quantity, lines.sales)
    mine = [of[product] for product in log.items.tolist()]
    return Shop(
        log,
        np.array([article.category for article in mine]),
        np.array([f"{article.category} {article.type}" for article in mine]),
        np.array([_chinese(article) for article in mine]),
    )


def _chinese(article: Article) -> str:
    known = types()
    kind = known.get((article.category, article.type)) or known.get(("", article.type)) or ""
    return f"{categories()[article.category][0]} {kind}"


def auc(true: Column, score: Column) -> float:
    """Return the area under the ROC curve by ranks (Mann–Whitney), ties counted half."""
    from scipy.stats import rankdata

    n = int(true.sum())
    return float((rankdata(score)[true].sum() - n * (n + 1) / 2) / (n * (len(true) - n)))
