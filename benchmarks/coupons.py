"""Coupon choice on the Complete Journey: each campaign scored by what was learnt from campaigns over before it began.

Run: python -m benchmarks.coupons. The package never says which 16 coupons of the pool a household of a type A campaign
got, so the whole pool is ranked, by the baseline as well.
"""

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import rankdata

from members.importing import completejourney_source as source
from recommend.coupon_choice import Books, Lesson, learn, lesson, score
from recommend.coupon_features import Mailing, Receipts, Redemptions

Numbers = NDArray[Any]
FIRST_DAY = date(2017, 1, 1)
MAILED_OF_POOL = 16
TOP = 10
SETS = {
    "all with an earlier campaign to learn from": 1,
    "from 8 May": 127,
    "from 8 August": 219,
    "from 30 October": 302,
}


@dataclass(frozen=True)
class Shop:
    """The demo shop's books with its labels: members, items, coupons of each mailing."""

    books: Books
    members: Numbers
    items: Numbers
    kinds: Sequence[str]


def load() -> Shop:
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
    return Shop(
        Books(receipts, _levels(articles, items), mailings, redemptions), members, items,
        [about[number].kind for number in ids],
    )  # fmt: skip


def _levels(articles: list[source.Article], items: Numbers) -> dict[str, Numbers]:
    words = {article.id: article for article in articles}

    def codes(label: Any) -> Numbers:
        found = [label(words[item]) if item in words else "" for item in items.tolist()]
        return np.unique(np.array(found, dtype=object).astype(str), return_inverse=True)[1]

    return {
        "type": codes(lambda one: one.type),
        "category": codes(lambda one: one.category),
        "brand": codes(lambda one: f"{one.manufacturer}|{one.category}"),
    }


def ranking(scores: Numbers, taken: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Return (AUC, expected recall@10 with ties broken at random) of each member with a choice."""
    return [_one(scores[row], taken[row]) for row in np.flatnonzero(taken.any(axis=1) & ~taken.all(axis=1))]


def _one(scores: Numbers, taken: NDArray[np.bool_]) -> tuple[float, float]:
    yes, no = int(taken.sum()), int((~taken).sum())
    auc = (rankdata(scores)[taken].sum() - yes * (yes + 1) / 2) / (yes * no)
    if len(scores) <= TOP:
        return float(auc), 1.0
    edge = np.sort(scores)[-TOP]
    above, tied = scores > edge, scores == edge
    hits = taken[above].sum() + taken[tied].sum() * (TOP - above.sum()) / tied.sum()
    return float(auc), float(hits / yes)


def auc(scores: Numbers, yes: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve, ties counted half."""
    many, few = int(yes.sum()), int((~yes).sum())
    return float((rankdata(scores)[yes].sum() - many * (many + 1) / 2) / (many * few))


def interval(difference: Numbers, members: Numbers, seed: int = 7, rounds: int = 1000) -> tuple[float, float]:
    """Return the 95% bootstrap interval of a mean difference, members drawn whole."""
    _, place = np.unique(members, return_inverse=True)
    sums, counts = np.bincount(place, weights=difference), np.bincount(place)
    draws = np.random.default_rng(seed).integers(0, len(sums), (rounds, len(sums)))
    low, high = np.quantile(sums[draws].sum(axis=1) / counts[draws].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Print the base rates, the choice and response figures against their baselines, and the cost."""
    begun = time.perf_counter()
    shop = load()
    books, loaded = shop.books, time.perf_counter()
    _print_base(shop)
    choice: list[tuple[int, int, float, float, float, float]] = []
    response: list[tuple[int, Numbers, Numbers, NDArray[np.bool_]]] = []
    learnt: dict[tuple[int, ...], Any] = {}
    lessons: dict[int, Lesson] = {}
    for which, mailing in enumerate(books.mailings):
        earlier = tuple(books.ended_before(mailing.start))
        if mailing.start < 1 or not any((books.redemptions.mailing == one).any() for one in earlier):
            continue
        if earlier not in learnt:
            lessons |= {one: lesson(books, one) for one in earlier if one not in lessons}
            learnt[earlier] = learn([lessons[one] for one in earlier], mailing.start)
        scores, taken = score(books, mailing, learnt[earlier]), books.redemptions.taken(books.mailings, which)
        past = books.past(mailing.start)
        own = np.asarray((past.counts["own"][mailing.members] @ mailing.products.T).toarray())
        rows = mailing.members[np.flatnonzero(taken.any(axis=1) & ~taken.all(axis=1))]
        for row, ours, theirs in zip(rows, ranking(scores.utility, taken), ranking(own, taken), strict=True):
            choice.append((mailing.start, int(row), *ours, *theirs))
        saved = np.bincount(past.receipts.member, past.receipts.saved, books.receipts.members)[mailing.members]
        response.append((mailing.start, scores.redeems, saved, np.asarray(taken.any(axis=1))))
    _print_choice(np.array(choice))
    _print_response(response)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    spent = time.perf_counter() - loaded
    sys.stdout.write(f"load {loaded - begun:.0f} s, fit and score {spent:.0f} s ({len(learnt)} fits), {peak:.2f} GiB\n")


def _print_base(shop: Shop) -> None:
    books = shop.books
    offered = sum(
        len(mailing.members) * (MAILED_OF_POOL if kind == "Type A" else mailing.products.shape[0])
        for mailing, kind in zip(books.mailings, shop.kinds, strict=True)
    )
    mailed = sum(len(mailing.members) for mailing in books.mailings)
    used = books.redemptions
    pairs = len(np.unique(used.member * 100 + used.mailing))
    people = len(np.unique(np.concatenate([mailing.members for mailing in books.mailings])))
    sys.stdout.write(
        f"base: {len(used.member) / offered:.1%} per coupon mailed ({len(used.member)}/{offered}), "
        f"{pairs / mailed:.1%} per mailing ({pairs}/{mailed}), "
        f"{len(np.unique(used.member)) / people:.1%} per mailed household ({len(np.unique(used.member))}/{people})\n"
    )


def _print_choice(rows: Numbers) -> None:
    for name, since in SETS.items():
        mine = rows[rows[:, 0] >= since]
        for label, ours, theirs in (("AUC", 2, 4), ("recall@10", 3, 5)):
            low, high = interval(mine[:, ours] - mine[:, theirs], mine[:, 1])
            sys.stdout.write(
                f"choice {label} {name}: {mine[:, ours].mean():.3f} (own counts {mine[:, theirs].mean():.3f}; "
                f"difference {low:+.3f} to {high:+.3f}; {len(mine)} pairs)\n"
            )


def _print_response(found: list[tuple[int, Numbers, Numbers, NDArray[np.bool_]]]) -> None:
    for name, since in SETS.items():
        mine = [one for one in found if one[0] >= since]
        ours, theirs, yes = (np.concatenate([one[place] for one in mine]) for place in (1, 2, 3))
        brier = float(np.mean((ours - yes) ** 2))
        base = float(np.mean((yes.mean() - yes) ** 2))
        sys.stdout.write(
            f"redeems at all {name}: AUC {auc(ours, yes):.3f} (coupon money before {auc(theirs, yes):.3f}), "
            f"Brier {brier:.4f} (rate alone {base:.4f}), {yes.mean():.1%} of {len(yes)} mailings\n"
        )


if __name__ == "__main__":
    main()
