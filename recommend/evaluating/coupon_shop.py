"""The demo shop's mailings, receipts and redemptions as coupon choice reads them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from members.importing import completejourney_source as source
from recommend.coupon_choice import Books
from recommend.coupon_features import Mailing, Receipts, Redemptions

Numbers = NDArray[Any]
FIRST_DAY = date(2017, 1, 1)


@dataclass(frozen=True)
class CouponShop:
    """The demo shop's books with its labels: members, items, the kind of each mailing."""

    books: Books
    members: Numbers
    items: Numbers
    kinds: Sequence[str]


def load() -> CouponShop:
    """Read the package; a day is a business day at the shop, 0 on 1 January 2017."""
    lines, (articles, _) = source.read_lines(), source.read_articles()
    lines = source.mend(lines, articles)
    coupon, product, campaign = source.read_coupons()
    about, sent, used = source.read_campaigns(), source.read_addressees(), source.read_redemptions()
    members = np.unique(np.r_[lines.household, np.fromiter(sent, dtype=np.int64)])
    items = np.unique(np.r_[lines.product, product, [article.id for article in articles]])
    hours = lines.seconds // 3600
    local = {hour: (source.local(hour * 3600).date() - FIRST_DAY).days for hour in np.unique(hours).tolist()}
    names, places = np.unique(hours, return_inverse=True)
    day = np.array([local[hour] for hour in names.tolist()])[places]
    order = np.argsort(day, kind="stable")
    receipts = Receipts(
        np.searchsorted(members, lines.household)[order], np.searchsorted(items, lines.product)[order], day[order],
        lines.sales[order], lines.coupon[order], len(members), len(items),
    )  # fmt: skip
    ids = sorted(about, key=lambda number: (about[number].start, number))
    mailings, labels = [], []
    for number in ids:
        mine = campaign == number
        upcs, row = np.unique(coupon[mine], return_inverse=True)
        cells = (np.ones(len(row), dtype=np.float32), (row, np.searchsorted(items, product[mine])))
        pool = sparse.csr_matrix(cells, shape=(len(upcs), len(items)))
        pool.data[:] = 1
        who = [household for household, campaigns in sent.items() if number in campaigns]
        start, end = ((moment - FIRST_DAY).days for moment in (about[number].start, about[number].end))
        mailings.append(Mailing(str(number), start, end, np.searchsorted(members, np.sort(who)), pool))
        labels.append(upcs)
    which = np.array([ids.index(one.campaign) for one in used])
    redemptions = Redemptions(
        np.searchsorted(members, [one.household for one in used]), which,
        np.array([np.searchsorted(labels[place], one.coupon) for place, one in zip(which, used, strict=True)]),
        np.array([(one.day - FIRST_DAY).days for one in used]),
    )  # fmt: skip
    books = Books(receipts, _levels(articles, items), mailings, redemptions)
    return CouponShop(books, members, items, [about[number].kind for number in ids])


def _levels(articles: list[source.Article], items: Numbers) -> dict[str, Numbers]:
    words = {article.id: article for article in articles}

    def codes(label: Callable[[source.Article], str]) -> Numbers:
        found = [label(words[item]) if item in words else "" for item in items.tolist()]
        return np.unique(np.array(found, dtype=object).astype(str), return_inverse=True)[1]

    return {
        "type": codes(lambda one: one.type),
        "category": codes(lambda one: one.category),
        "brand": codes(lambda one: f"{one.manufacturer}|{one.category}"),
    }
