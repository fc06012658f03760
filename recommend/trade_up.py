"""Trade-up: from a member's usual article of a type to a dearer one that buyers of the usual one did take up.

Unit price = 分 a piece over the shop before the cut (pack sizes are not told apart). Within a type, the usual article
is the one bought on most days. share(a → b) = members who first bought a and later b / members who bought a; chance is
the same with PULL more who bought a, the pseudo-count standing for members who never will. Offered is the b that
maximises chance · extra 分 (the money expected), or the chance alone. Steps are learnt once, of a sample where members
are many, and offered to some members after others.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recommend.leaning import unit_price
from recommend.matrix import BadPurchases, Labels, PurchaseLog
from recommend.visits import Figures, Whole

LAGS, PULL = 12, 20.0
DEARER, AT_MOST, LEAST = 1.15, 3.0, 3


@dataclass(frozen=True, slots=True)
class TradeUps:
    """One row a member and type with an offer, rising by both: codes of the articles, and what is told of the step.

    `extra` is 分 a piece.
    """

    members: Labels
    items: Labels
    member: Whole
    usual: Whole
    premium: Whole
    extra: Figures
    chance: Figures
    share: Figures

    def explain(self, row: int) -> str:
        """Return the sentence a marketer reads."""
        usual, premium = self.items[self.usual[row]], self.items[self.premium[row]]
        return f"常买{usual};买它的会员后来有{self.share[row]:.0%}也买了{premium},每件多{self.extra[row] / 100:.2f}元"


@dataclass(frozen=True, slots=True)
class Tried:
    """One row a member, type and item: first day and purchase days, rising by member, type and first day."""

    member: Whole
    kind: Whole
    item: Whole
    first: Whole
    days: Whole


@dataclass(frozen=True, slots=True)
class Ladder:
    """Steps from an item (code) to a dearer one of its type, those from one item together and the best first.

    `kind`: the type (code) of each item, −1 for none. `extra` is 分 a piece.
    """

    kind: Whole
    before: Whole
    after: Whole
    extra: Figures
    chance: Figures
    share: Figures

    def kept(self, steps: NDArray[np.bool_]) -> "Ladder":
        """Return these of the steps."""
        return Ladder(
            self.kind, self.before[steps], self.after[steps], self.extra[steps], self.chance[steps], self.share[steps]
        )


def kinds(log: PurchaseLog, types: ArrayLike) -> Whole:
    """Return each item's type as a code, −1 where it is ''; BadPurchases when there isn't one for each item."""
    names, found = np.unique(np.asarray(types).astype(str), return_inverse=True)
    if len(found) != len(log.items):
        raise BadPurchases("one type is needed for each item")
    return np.where(names[found] == "", -1, found)


def tried(log: PurchaseLog, cut: int, types: ArrayLike) -> Tried:
    """Return what each member tried before day `cut`; `types` gives each item's type, '' for none."""
    kind, past = kinds(log, types), log.before(cut)
    if not len(past):
        raise BadPurchases(f"no purchases before day {cut}")
    return _tried(past, kind)


def _tried(past: PurchaseLog, kind: Whole) -> Tried:
    pair = past.member.astype(np.int64) * len(past.items) + past.item
    keys, at, days = np.unique(pair, return_index=True, return_counts=True)
    member, item, first = keys // len(past.items), keys % len(past.items), past.day[at].astype(np.int64)
    order = np.lexsort((item, first, kind[item], member))
    order = order[kind[item[order]] >= 0]
    return Tried(member[order], kind[item[order]], item[order], first[order], days[order])


def steps(found: Tried) -> tuple[Whole, Whole, Whole]:
    """Return (from, to, members): how many tried one item of a type after another, among their next LAGS new ones."""
    parts = []
    for lag in range(1, LAGS + 1):
        same = (found.member[lag:] == found.member[:-lag]) & (found.kind[lag:] == found.kind[:-lag])
        same &= found.first[lag:] > found.first[:-lag]
        parts.append(np.stack([found.item[:-lag][same], found.item[lag:][same]]))
    every = np.concatenate(parts, axis=1)
    width = int(found.item.max(initial=0)) + 1
    keys, count = np.unique(every[0] * width + every[1], return_counts=True)
    return keys // width, keys % width, count


def trade_ups(
    log: PurchaseLog, cut: int, types: ArrayLike, *, dearer: float = DEARER, least: int = LEAST,
    prefer: Literal["money", "chance"] = "money",
) -> TradeUps:  # fmt: skip
    """Return each member's best offers: `dearer` times the price or more, to at most AT_MOST times, not yet tried.

    Only steps that at least `least` members took are offered.
    """
    return offered(log, cut, ladder(log, cut, types, dearer=dearer, least=least, prefer=prefer))


def ladder(
    log: PurchaseLog, cut: int, types: ArrayLike, *, dearer: float = DEARER, least: int = LEAST,
    prefer: Literal["money", "chance"] = "money", sold: ArrayLike | None = None,
) -> Ladder:  # fmt: skip
    """Return the steps that members took before day `cut`; `sold`: which items can be bought today, all when None."""
    found = tried(log, cut, types)
    price = unit_price(log.before(cut))
    before, after, took = steps(found)
    with np.errstate(invalid="ignore"):
        fit = (price[after] >= dearer * price[before]) & (price[after] <= AT_MOST * price[before]) & (took >= least)
    if sold is not None:
        fit &= np.asarray(sold, dtype=np.bool_)[after]
    before, after, took = before[fit], after[fit], took[fit]
    buyers = np.bincount(found.item, minlength=len(log.items))[before]
    chance, share = took / (buyers + PULL), took / buyers
    extra = price[after] - price[before]
    order = np.lexsort((after, -chance * extra if prefer == "money" else -chance, before))
    return Ladder(kinds(log, types), before[order], after[order], extra[order], chance[order], share[order])


def offered(log: PurchaseLog, cut: int, steps: Ladder, *, since: int | None = None, often: int = 1) -> TradeUps:
    """Return each member's best offers before day `cut`; BadPurchases without purchases.

    Usual is only what was bought on `often` days or more from day `since` on; what was ever tried is not offered.
    """
    past = log.before(cut)
    if not len(past):
        raise BadPurchases(f"no purchases before day {cut}")
    found = _tried(past, steps.kind)
    lately = found if since is None else _tried(past.since(since), steps.kind)
    member, usual = _usual(lately, often)
    begin = np.searchsorted(steps.before, usual)
    end = np.searchsorted(steps.before, usual, side="right")
    picked = _first_untried(_tried(ever_tried(log, cut), steps.kind), len(log.items), member, steps.after, begin, end)
    some = picked >= 0
    step = picked[some]
    return TradeUps(
        log.members, log.items, member[some], usual[some], steps.after[step], steps.extra[step], steps.chance[step],
        steps.share[step],
    )  # fmt: skip


def ever_tried(log: PurchaseLog, cut: int) -> PurchaseLog:
    """Return what was taken home before day `cut`, also where it came back."""
    return log._only((log.day < cut) & (log.quantity > 0))


def _usual(found: Tried, often: int) -> tuple[Whole, Whole]:
    """Return (member, item) of the article of each type that was bought on most days, the latest begun of equals."""
    order = np.lexsort((found.item, -found.first, -found.days, found.kind, found.member))
    head = np.ones(len(order), dtype=np.bool_)
    member, kind = found.member[order], found.kind[order]
    head[1:] = (member[1:] != member[:-1]) | (kind[1:] != kind[:-1])
    head &= found.days[order] >= often
    return member[head], found.item[order][head]


def _first_untried(found: Tried, width: int, member: Whole, after: Whole, begin: Whole, end: Whole) -> Whole:
    """Return for each member the first step of `begin` … `end` to what they never tried, −1 where there is none."""
    known = np.sort(found.member * width + found.item)
    picked = np.full(len(member), -1, dtype=np.int64)
    for place in range(int((end - begin).max(initial=0))):
        open_ = np.flatnonzero((picked < 0) & (begin + place < end))
        wanted = member[open_] * width + after[begin[open_] + place]
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        fresh = open_[known[at] != wanted]
        picked[fresh] = begin[fresh] + place
    return picked
