"""What the ranker looks at for a member and an item at a cut: arrays of float32, a row per candidate pair.

Time counts twice: in days back from the cut and in the member's own baskets back from the newest (0). Everything is
relative to the log handed in, so a log cut at a day describes what was known that day and nothing later.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommend.matrix import Codes
from recommend.places import ranks
from recommend.ranking_history import Columns, Floats, History, halved

BASKET_WINDOWS = (10, 20)
DAY_HALF_LIVES = (10, 30, 90, 180)
BASKET_HALF_LIVES = (3, 8, 20, 50)
HISTORY_SHARES = (0.1, 0.33)
RECENT_DAYS = 28
PRIOR_GAPS = 2.0
SMALL_BASKET = 4
TIMED = ("last", "first", "last_baskets", "pieces", "price")
RANKED = ("basket_half_8", "basket_half_20", "history_0.33")
UNSEEN = (
    "gap_last", "gap_baskets", "item_recent_7", "item_recent_28", "last_baskets", "member_last", "member_recent",
    "pieces", "popular", "since_first",
)  # fmt: skip
"""Columns no forest learns from: without them it ranks as well (0.0001 ± 0.0006 at three earlier cuts)."""
SUPPLY = "due_supply"
PARENT_COLUMNS = ("n", "basket_half_3", "basket_half_20", "last", "due")
FAINT = np.float32(1e-6)
FEWEST_GAPS, CLOSER = 50, 0.95


def own_columns(past: History, wanted: Container[str] | None = None) -> Columns:
    """Return what each pair's purchases say: counts, decayed shares, gaps, quantity and price (分 a piece).

    Of windows and half-lives only the `wanted` ones are reckoned, all when None.
    """

    def needed(name: str) -> bool:
        return wanted is None or name in wanted

    log, many = past.log, len(past.log.members)
    ago, age = past.ago[past.order], (past.now - log.day)[past.order]
    of, member = log.member[past.first], past.pair_member
    count = (past.end - past.start + 1).astype(np.float32)

    def share(of_row: Floats, of_basket: Floats) -> Floats:
        whole = np.maximum(np.bincount(of, of_basket, many), 1e-9).astype(np.float32)
        return np.asarray(past.sums(of_row) / whole[member], dtype=np.float32)

    found: dict[str, Any] = {"n": count}
    for window in (window for window in BASKET_WINDOWS if needed(f"baskets_{window}")):
        found[f"baskets_{window}"] = past.sums(ago < window)
    basket_ago, basket_age = past.ago[past.first], past.now - log.day[past.first]
    for kind, back, whole, halves in (
        ("day", age, basket_age, DAY_HALF_LIVES), ("basket", ago, basket_ago, BASKET_HALF_LIVES)
    ):  # fmt: skip
        for half in (half for half in halves if needed(f"{kind}_half_{half}")):
            fades = halved(np.arange(int(whole.max()) + 1), half)
            found[f"{kind}_half_{half}"] = share(fades[back], fades[whole])
    row_member = log.member[past.order]
    for part in (part for part in HISTORY_SHARES if needed(f"history_{part}")):
        lasting = (part * np.maximum(1, past.baskets)).astype(np.float32)
        found[f"history_{part}"] = share(halved(ago, lasting[row_member]), halved(basket_ago, lasting[of]))
    if needed("light") or needed("small"):
        slow = halved(np.arange(int(basket_ago.max()) + 1), 20)
        size, basket_size = past.size[past.order], past.size[past.first]
        found["light"] = share(slow[ago] / size, slow[basket_ago] / basket_size)
        dim = [np.where(sizes <= SMALL_BASKET, np.float32(1), FAINT) for sizes in (size, basket_size)]
        found["small"] = share(slow[ago] * dim[0], slow[basket_ago] * dim[1])
    if needed("pieces") or needed("price"):
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
    spread = past.sums(between**2) / steps - np.nan_to_num(gap) ** 2
    ago_last, ago_first = ago[last_row].astype(np.float32), ago[first_row].astype(np.float32)
    gap_baskets = np.where(several, (ago_first - ago_last) / steps, np.nan)
    columns = {
        "last": last, "first": last + span, "last_baskets": ago_last, "gap": gap, "span": span,
        "gap_spread": np.where(count > 2, np.sqrt(np.maximum(spread, 0)), np.nan),
        "gap_last": np.where(several, between[last_row], np.nan), "gap_baskets": gap_baskets,
        "due": last / gap, "due_baskets": (ago_last + 1) / gap_baskets, "since_first": count / (ago_first + 1),
        "share": count / past.baskets[past.pair_member], SUPPLY: last / _supply(past, span),
    }  # fmt: skip
    return {name: np.asarray(column, dtype=np.float32) for name, column in columns.items()}


def _supply(past: History, span: Floats) -> Floats:
    """Return how long the last quantity lasts at the pace at which the earlier ones were used up; NaN when unknown."""
    pieces = np.maximum(past.log.quantity, 1)
    newest = pieces[past.order[past.end]]
    used = past.total(pieces) - newest
    return np.where(used > 0, np.maximum(span * newest / np.maximum(used, 1), 1), np.nan).astype(np.float32)


def supply_tells(past: History) -> bool:
    """Tell whether newest gaps follow the quantity bought before them: closer (in logs) than the pair's mean gap does.

    Of pairs with three purchases or more; what `due_supply` is good for depends on what a shop sells.
    """
    day, pieces = past.log.day[past.order], np.maximum(past.log.quantity, 1)[past.order]
    some = past.end - past.start >= 2
    start, end = past.start[some], past.end[some]
    if len(end) < FEWEST_GAPS:
        return False
    sums = np.concatenate([[0], np.cumsum(pieces)])
    gap, span = (day[end] - day[end - 1]).astype(np.float64), (day[end - 1] - day[start]).astype(np.float64)
    used, steps = sums[end - 1] - sums[start], end - 1 - start
    by_supply = np.abs(np.log(gap * used / (span * pieces[end - 1])))
    by_mean = np.abs(np.log(gap * steps / span))
    return bool(by_supply.mean() < CLOSER * by_mean.mean())


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
    past: History, items: Columns, member: NDArray[Any], item: NDArray[Any], given: Mapping[str, Floats],
    wanted: Container[str] | None = None,
) -> Columns:  # fmt: skip
    """Return the columns of candidate pairs (rising by member, item): own, item, member, due, ranks; `wanted` as above.

    `given` are columns known already (neighbour scores). A pair never bought has zero counts and no gaps (NaN).
    """
    own, bought = _of_pairs(past, member, item, wanted)
    found: dict[str, Any] = {}
    for name, column in own.items():
        found[name] = np.full(len(bought), np.nan if name in TIMED else 0, dtype=np.float32)
        found[name][bought] = column
    found |= {name: column[item] for name, column in items.items()}
    found |= {name: column[member] for name, column in member_columns(past).items()}
    found |= given
    pooled = (found.pop("span") + PRIOR_GAPS * found["item_gap"]) / (np.maximum(found["n"] - 1, 0) + PRIOR_GAPS)
    found["due_pooled"] = found["last"] / np.maximum(pooled, 1)
    found["due_item"] = found["last"] / np.maximum(found["item_gap"], 1)
    if "price" in found:
        found["price_ratio"] = found["price"] / np.maximum(found["item_price"], 1)
    for name in (*RANKED, *given):
        if name in found and (wanted is None or f"rank_{name}" in wanted):
            found[f"rank_{name}"] = ranks(member, found[name], tied=True)
    return found


def parent_columns(past: History, member: NDArray[Any], parent: Codes, name: str, own: Floats) -> Columns:
    """Return what the member's purchases one level up say, and the item's part in them; −1 is no parent."""
    key = member.astype(np.int64) * (len(past.log.items) + 1) + parent
    _, first, back = np.unique(key, return_index=True, return_inverse=True)
    columns, bought = _of_pairs(past, member[first], parent[first], PARENT_COLUMNS)
    found: dict[str, Any] = {}
    for one in PARENT_COLUMNS:
        column = np.full(len(bought), np.nan, dtype=np.float32)
        column[bought] = columns[one]
        found[f"{name}_{one}"] = column[back]
    found[f"{name}_part"] = own / np.maximum(found[f"{name}_basket_half_20"], np.float32(1e-6))
    return found


def _of_pairs(
    past: History, member: NDArray[Any], item: NDArray[Any], wanted: Container[str] | None
) -> tuple[Columns, NDArray[np.bool_]]:
    """Return the own columns of those of these pairs (rising) that were bought, and which; item −1 is none."""
    place, bought = past.pairs(member, np.maximum(item, 0))
    bought &= item >= 0
    chosen = np.zeros(len(past.start), dtype=np.bool_)
    chosen[place[bought]] = True
    return own_columns(past.only(chosen), wanted), bought


def stacked(columns: Columns, names: Sequence[str]) -> Floats:
    """Return the columns as one float32 matrix, rows × names, a name's values side by side."""
    matrix = np.empty((len(names), len(next(iter(columns.values())))), dtype=np.float32)
    for place, name in enumerate(names):
        matrix[place] = columns[name]
    return matrix.T
