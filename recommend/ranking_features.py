"""What the ranker looks at for a member and an item at a cut: arrays of float32, a row per candidate pair.

Time counts twice: in days back from the cut and in the member's own baskets back from the newest (0). Everything is
relative to the log handed in, so a log cut at a day describes what was known that day and nothing later.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommend.matrix import BadPurchases, Codes, PurchaseLog

Floats = NDArray[np.float32]
Columns = dict[str, Floats]
DAY_WINDOWS = (7, 14, 28, 56, 112)
BASKET_WINDOWS = (1, 2, 3, 5, 10, 20)
DAY_HALF_LIVES = (10, 30, 90, 180)
BASKET_HALF_LIVES = (3, 8, 20, 50)
HISTORY_SHARES = (0.1, 0.33)
RECENT_DAYS = 28
PRIOR_GAPS = 2.0
SMALL_BASKET = 4
FAINT = np.float32(1e-6)


@dataclass(frozen=True, slots=True)
class History:
    """A log as known when day `now` begins, with its rows grouped into baskets and into pairs (member, item).

    `ago`: baskets between the row's and the member's newest. `order` sorts rows by member, item and day; `start` and
    `end` are each pair's first and last place in it. `baskets`: how many each member has.
    """

    log: PurchaseLog
    now: int
    ago: Codes
    size: Floats
    first: NDArray[np.bool_]
    baskets: Codes
    order: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    key: NDArray[np.int64]

    def pairs(self, member: NDArray[Any], item: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return (place among the pairs, whether the member ever bought the item)."""
        wanted = member.astype(np.int64) * len(self.log.items) + item
        place = np.minimum(np.searchsorted(self.key, wanted), max(0, len(self.key) - 1))
        return place, self.key[place] == wanted

    def total(self, weight: NDArray[Any]) -> Floats:
        """Return the sums per pair of a weight given per row."""
        return np.add.reduceat(np.asarray(weight, dtype=np.float32)[self.order], self.start)

    def share(self, weight: NDArray[Any]) -> Floats:
        """Return per row its weight over the sum of its member's basket weights: what decayed fraction of baskets."""
        whole = np.bincount(self.log.member[self.first], weight[self.first], len(self.log.members))
        return (weight / np.maximum(whole, 1e-9)[self.log.member]).astype(np.float32)

    def vectors(self, weight: NDArray[Any]) -> Any:
        """Return the sparse members × items matrix of summed row weights."""
        ends = np.concatenate([[0], np.cumsum(np.bincount(self.pair_member, minlength=len(self.log.members)))])
        shape = (len(self.log.members), len(self.log.items))
        return sparse.csr_matrix((self.total(weight), self.pair_item, ends), shape=shape)

    @property
    def pair_member(self) -> Codes:
        """Members of the pairs, rising."""
        return self.log.member[self.order[self.start]]

    @property
    def pair_item(self) -> Codes:
        """Items of the pairs, rising within a member."""
        return self.log.item[self.order[self.start]]


def history(log: PurchaseLog, now: int) -> History:
    """Group a log that ends before `now`; BadPurchases when it is empty or reaches past the cut."""
    if not len(log):
        raise BadPurchases("no purchases before the cut")
    if int(log.day.max()) >= now:
        raise BadPurchases("the log reaches past the cut")
    first = np.ones(len(log), dtype=np.bool_)
    first[1:] = (log.member[1:] != log.member[:-1]) | (log.day[1:] != log.day[:-1])
    basket = np.cumsum(first) - 1
    baskets = np.bincount(log.member[first], minlength=len(log.members)).astype(np.int32)
    key = log.member.astype(np.int64) * len(log.items) + log.item
    order = np.argsort(key, kind="stable")
    key = key[order]
    start = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    return History(
        log=log, now=now, ago=(np.cumsum(baskets)[log.member] - 1 - basket).astype(np.int32),
        size=np.bincount(basket)[basket].astype(np.float32), first=first, baskets=baskets,
        order=order, start=start, end=np.append(start[1:], len(key)) - 1, key=key[start],
    )  # fmt: skip


def halved(age: NDArray[Any], half_life: Any) -> Floats:
    """Return ½^(age / half-life)."""
    return np.asarray(np.exp2(-np.asarray(age, dtype=np.float32) / half_life), dtype=np.float32)


def own_columns(past: History, wanted: Container[str] | None = None) -> Columns:
    """Return what each pair's purchases say: counts, decayed shares, gaps, quantity and price (分 a piece).

    Of windows and half-lives only the `wanted` ones are reckoned, all when None.
    """

    def needed(name: str) -> bool:
        return wanted is None or name in wanted

    log = past.log
    ago, age = past.ago[past.order], (past.now - log.day)[past.order]
    count = (past.end - past.start + 1).astype(np.float32)

    def total(weight: NDArray[Any]) -> Floats:
        return np.add.reduceat(weight, past.start, dtype=np.float32)

    found: dict[str, Any] = {"n": count}
    found |= {f"days_{window}": total(age <= window) for window in DAY_WINDOWS if needed(f"days_{window}")}
    found |= {f"baskets_{window}": total(ago < window) for window in BASKET_WINDOWS if needed(f"baskets_{window}")}
    member = past.pair_member
    for kind, back, halves in (("day", age, DAY_HALF_LIVES), ("basket", ago, BASKET_HALF_LIVES)):
        whole = (past.now - log.day if kind == "day" else past.ago)[past.first]
        for half in (half for half in halves if needed(f"{kind}_half_{half}")):
            fades = halved(np.arange(int(back.max()) + 1), half)
            of = np.bincount(log.member[past.first], fades[whole], len(log.members)).astype(np.float32)
            found[f"{kind}_half_{half}"] = total(fades[back]) / np.maximum(of, 1e-9)[member]
    for part in (part for part in HISTORY_SHARES if needed(f"history_{part}")):
        weight = halved(past.ago, (part * np.maximum(1, past.baskets)).astype(np.float32)[log.member])
        found[f"history_{part}"] = past.total(past.share(weight))
    if needed("light") or needed("small"):
        slow = halved(np.arange(int(ago.max()) + 1), 20)[past.ago]
        found["light"] = past.total(past.share(slow / past.size))
        found["small"] = past.total(past.share(slow * np.where(past.size <= SMALL_BASKET, 1, FAINT)))
    pieces = past.total(log.quantity)
    found["pieces"] = pieces / count
    found["price"] = past.total(log.amount) / np.maximum(pieces, 1)
    return found | _gap_columns(past, count)


def _gap_columns(past: History, count: Floats) -> Columns:
    day, ago = past.log.day[past.order], past.ago[past.order]
    last_row, first_row = past.end, past.start
    last = (past.now - day[last_row]).astype(np.float32)
    span = (day[last_row] - day[first_row]).astype(np.float32)
    steps = np.maximum(count - 1, 1)
    several = count > 1
    gap = np.where(several, span / steps, np.nan)
    between = np.diff(day, prepend=day[:1]).astype(np.float32)
    between[first_row] = 0
    spread = np.add.reduceat(between**2, first_row) / steps - np.nan_to_num(gap) ** 2
    ago_last, ago_first = ago[last_row].astype(np.float32), ago[first_row].astype(np.float32)
    gap_baskets = np.where(several, (ago_first - ago_last) / steps, np.nan)
    columns = {
        "last": last, "first": last + span, "last_baskets": ago_last, "gap": gap, "span": span,
        "gap_spread": np.where(count > 2, np.sqrt(np.maximum(spread, 0)), np.nan),
        "gap_last": np.where(several, between[last_row], np.nan), "gap_baskets": gap_baskets,
        "due": last / gap, "due_baskets": (ago_last + 1) / gap_baskets, "since_first": count / (ago_first + 1),
        "share": count / past.baskets[past.pair_member],
    }  # fmt: skip
    return {name: np.asarray(column, dtype=np.float32) for name, column in columns.items()}


def item_columns(past: History) -> Columns:
    """Return what the whole shop says of each item: popularity, trend, loyalty, repeat rate, usual gap in days."""
    log, many = past.log, len(past.log.items)
    item, count = past.pair_item, (past.end - past.start + 1).astype(np.float32)
    several = count > 1
    rows = np.bincount(log.item, minlength=many)
    buyers = np.maximum(np.bincount(item, minlength=many), 1)
    day = log.day[past.order]
    span = (day[past.end] - day[past.start])[several]
    gaps = np.bincount(item[several], span, many) / np.maximum(np.bincount(item[several], count[several] - 1, many), 1)
    popular = 1e4 * rows / max(1, int(rows.sum()))
    columns = {
        "item_popular": popular, "item_buyers": buyers / max(1, int((past.baskets > 0).sum())),
        "item_loyalty": rows / buyers, "item_repeats": np.bincount(item, several, many) / buyers, "item_gap": gaps,
        "item_price": np.bincount(log.item, log.amount, many) / np.maximum(
            np.bincount(log.item, log.quantity, many), 1),
    }  # fmt: skip
    for days in (RECENT_DAYS // 4, RECENT_DAYS):
        recent = np.bincount(log.item[log.day >= past.now - days], minlength=many)
        columns[f"item_recent_{days}"] = 1e4 * recent / max(1, int(recent.sum()))
        columns[f"item_trend_{days}"] = (columns[f"item_recent_{days}"] + 0.1) / (popular + 0.1)
    return {name: np.asarray(column, dtype=np.float32) for name, column in columns.items()}


def member_columns(past: History) -> Columns:
    """Return each member's rhythm: baskets, their mean and last size, days since the last, mean gap, variety, spend."""
    log, many = past.log, len(past.log.members)
    of, day, size = log.member[past.first], log.day[past.first], past.size[past.first]
    baskets = np.maximum(past.baskets, 1)
    newest, oldest, last_size = (np.zeros(many) for _ in range(3))
    newest[of], last_size[of] = day, size
    oldest[of[::-1]] = day[::-1]
    distinct = np.bincount(past.pair_member, minlength=many)
    rows = np.maximum(np.bincount(log.member, minlength=many), 1)
    columns = {
        "member_baskets": past.baskets, "member_size": np.bincount(of, size, many) / baskets,
        "member_last_size": last_size, "member_last": past.now - newest,
        "member_gap": (newest - oldest) / np.maximum(baskets - 1, 1),
        "member_recent": np.bincount(of[day >= past.now - RECENT_DAYS], minlength=many),
        "member_distinct": distinct, "member_variety": distinct / rows,
        "member_spend": np.bincount(log.member, log.amount, many) / baskets,
        "member_small": np.bincount(of, size <= SMALL_BASKET, many) / baskets,
    }  # fmt: skip
    return {name: np.asarray(column, dtype=np.float32) for name, column in columns.items()}


def pair_columns(
    past: History, items: Columns, member: NDArray[Any], item: NDArray[Any], given: Mapping[str, Floats]
) -> Columns:
    """Return the columns of candidate pairs (rising by member): own, item, member, due against pooled gaps, ranks.

    `given` are columns known already (neighbour scores). A pair never bought has zero counts and no gaps (NaN).
    """
    place, bought = past.pairs(member, item)
    found: dict[str, Any] = {}
    timed = ("last", "first", "last_baskets", "pieces", "price")
    for name, column in own_columns(past).items():
        found[name] = np.where(bought, column[place], np.nan if name in timed else 0).astype(np.float32)
    found |= {name: column[item] for name, column in items.items()}
    found |= {name: column[member] for name, column in member_columns(past).items()}
    found |= given
    pooled = (found.pop("span") + PRIOR_GAPS * found["item_gap"]) / (np.maximum(found["n"] - 1, 0) + PRIOR_GAPS)
    found["due_pooled"] = found["last"] / np.maximum(pooled, 1)
    found["due_item"] = found["last"] / np.maximum(found["item_gap"], 1)
    found["price_ratio"] = found["price"] / np.maximum(found["item_price"], 1)
    for name in ("basket_half_8", "basket_half_20", "day_half_30", "history_0.33", *given):
        found[f"rank_{name}"] = ranks(member, found[name])
    return found


def parent_columns(past: History, member: NDArray[Any], parent: Codes, name: str, own: Floats) -> Columns:
    """Return what the member's purchases one level up say, and the item's part in them; −1 is no parent."""
    known = parent >= 0
    place, bought = past.pairs(member, np.maximum(parent, 0))
    bought &= known
    kept = ("n", "basket_half_3", "basket_half_20", "last", "due")
    columns = own_columns(past, kept)
    found: dict[str, Any] = {f"{name}_{one}": np.where(bought, columns[one][place], np.nan) for one in kept}
    found[f"{name}_part"] = own / np.maximum(found[f"{name}_basket_half_20"], 1e-6)
    return {label: np.asarray(column, dtype=np.float32) for label, column in found.items()}


def ranks(member: NDArray[Any], score: NDArray[Any]) -> Floats:
    """Return each pair's place in its member's list, the best 0; ties go by position. Members come in one run each."""
    order = np.lexsort((-score, member))
    run = member[order]
    start = np.concatenate([[True], run[1:] != run[:-1]])
    place = np.arange(len(run))
    found = np.empty(len(run), dtype=np.float32)
    found[order] = place - np.maximum.accumulate(np.where(start, place, 0))
    return found


def stacked(columns: Columns, names: Sequence[str]) -> Floats:
    """Return the columns as one C-ordered float32 matrix in the order of `names`."""
    matrix = np.empty((len(next(iter(columns.values()))), len(names)), dtype=np.float32)
    for place, name in enumerate(names):
        matrix[:, place] = columns[name]
    return matrix
