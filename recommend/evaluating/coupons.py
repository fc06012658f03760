"""Coupon choice: each mailing scored by what was learnt from mailings that were over before it began.

The package never says which 16 coupons of the pool a household of a type A mailing got, so the whole pool is ranked, by
the baseline as well: a member's own purchase counts summed over a coupon's products.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from recommend.coupon_choice import Books, Lesson, learn, lesson, score
from recommend.evaluating import intervals
from recommend.evaluating.cost import Cost, Meter
from recommend.evaluating.measures import auc

Numbers = NDArray[Any]
MAILED_OF_POOL, TOP, DRAWS, SEED = 16, 10, 1000, 7
SETS = {"all": 1, "29 March": 87, "8 May": 127, "8 August": 219, "30 October": 302}
"""Mailings from that day of 2017 on; "all" have an earlier mailing, from 29 March one whose receipts are known."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What was redeemed of what was mailed; without its base a redemption rate says nothing."""

    base: str
    redeemed: int
    of: int

    @property
    def rate(self) -> float:
        return self.redeemed / self.of


@dataclass(frozen=True, slots=True)
class Choice:
    """How well the redeemed coupons of a mailing stand above the rest, over (member, mailing) with a redemption."""

    since: str
    measure: str
    pairs: int
    own: float
    other: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Response:
    """How well it is told who redeems anything of a mailing; `other` ranks by money saved with coupons before."""

    since: str
    mailings: int
    rate: float
    own: float
    other: float
    brier: float
    base_brier: float


@dataclass(frozen=True, slots=True)
class Result:
    """Bases, choices, responses; `cost` is of all fits, and of scoring a member of a mailing."""

    rates: list[Rate]
    choices: list[Choice]
    responses: list[Response]
    cost: Cost

    def plain(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return asdict(self) | {"rates": [asdict(rate) | {"rate": rate.rate} for rate in self.rates]}


def ranking(scores: Numbers, taken: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Return (AUC, expected recall@10 with ties broken at random) of each member with a choice."""
    return [_one(scores[row], taken[row]) for row in np.flatnonzero(taken.any(axis=1) & ~taken.all(axis=1))]


def _one(scores: Numbers, taken: NDArray[np.bool_]) -> tuple[float, float]:
    yes, no = int(taken.sum()), int((~taken).sum())
    area = (rankdata(scores)[taken].sum() - yes * (yes + 1) / 2) / (yes * no)
    if len(scores) <= TOP:
        return float(area), 1.0
    edge = np.sort(scores)[-TOP]
    above, tied = scores > edge, scores == edge
    hits = taken[above].sum() + taken[tied].sum() * (TOP - above.sum()) / tied.sum()
    return float(area), float(hits / yes)


def evaluate(books: Books, kinds: Sequence[str], told: Callable[[int, int], None] = lambda done, of: None) -> Result:
    """Score every mailing with an earlier one to learn from; `kinds` says which mailings are of type A."""
    meter, fits, scoring, asked = Meter(), 0.0, 0.0, 0
    choice: list[tuple[int, int, float, float, float, float]] = []
    response: list[tuple[int, Numbers, Numbers, NDArray[np.bool_]]] = []
    learnt: dict[tuple[int, ...], Any] = {}
    lessons: dict[int, Lesson] = {}
    for which, mailing in enumerate(books.mailings):
        told(which, len(books.mailings))
        earlier = tuple(books.ended_before(mailing.start))
        if mailing.start < 1 or not any((books.redemptions.mailing == one).any() for one in earlier):
            continue
        if earlier not in learnt:
            learnt[earlier], took = meter.timed(_taught, books, earlier, lessons, mailing.start)
            fits += took
        scores, took = meter.timed(score, books, mailing, learnt[earlier])
        scoring, asked = scoring + took, asked + len(mailing.members)
        taken, past = books.redemptions.taken(books.mailings, which), books.past(mailing.start)
        own = np.asarray((past.counts["own"][mailing.members] @ mailing.products.T).toarray())
        rows = mailing.members[np.flatnonzero(taken.any(axis=1) & ~taken.all(axis=1))]
        for row, ours, theirs in zip(rows, ranking(scores.utility, taken), ranking(own, taken), strict=True):
            choice.append((mailing.start, int(row), *ours, *theirs))
        saved = np.bincount(past.receipts.member, past.receipts.saved, books.receipts.members)[mailing.members]
        response.append((mailing.start, scores.redeems, saved, np.asarray(taken.any(axis=1))))
    told(len(books.mailings), len(books.mailings))
    cost = meter.cost(fits, scoring, asked)
    return Result(rates(books, kinds), list(_choices(np.array(choice))), list(_responses(response)), cost)


def _taught(books: Books, earlier: tuple[int, ...], lessons: dict[int, Lesson], start: int) -> Any:
    lessons |= {one: lesson(books, one) for one in earlier if one not in lessons}
    return learn([lessons[one] for one in earlier], start)


def rates(books: Books, kinds: Sequence[str]) -> list[Rate]:
    """Return how much was redeemed per coupon mailed, per mailing to a household, and per mailed household."""
    offered = sum(
        len(mailing.members) * (MAILED_OF_POOL if kind == "Type A" else mailing.products.shape[0])
        for mailing, kind in zip(books.mailings, kinds, strict=True)
    )
    mailed = sum(len(mailing.members) for mailing in books.mailings)
    used = books.redemptions
    pairs = len(np.unique(used.member * 100 + used.mailing))
    people = len(np.unique(np.concatenate([mailing.members for mailing in books.mailings])))
    return [
        Rate("coupon mailed", len(used.member), int(offered)),
        Rate("mailing", pairs, mailed),
        Rate("mailed household", len(np.unique(used.member)), people),
    ]


def _choices(rows: Numbers) -> Any:
    for name, since in SETS.items():
        mine = rows[rows[:, 0] >= since]
        for label, ours, theirs in (("AUC", 2, 4), ("recall@10", 3, 5)):
            low, high = intervals.of_clusters(mine[:, ours] - mine[:, theirs], mine[:, 1], DRAWS, SEED)
            yield Choice(name, label, len(mine), float(mine[:, ours].mean()), float(mine[:, theirs].mean()), low, high)


def _responses(found: list[tuple[int, Numbers, Numbers, NDArray[np.bool_]]]) -> Any:
    for name, since in SETS.items():
        mine = [one for one in found if one[0] >= since]
        ours, theirs, yes = (np.concatenate([one[place] for one in mine]) for place in (1, 2, 3))
        brier, base = (float(np.mean((chance - yes) ** 2)) for chance in (ours, yes.mean()))
        yield Response(name, len(yes), float(yes.mean()), auc(yes, ours), auc(yes, theirs), brier, base)
