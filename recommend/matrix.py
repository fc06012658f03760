"""The purchase matrix: who bought what on which day, as compact sorted columns; nothing peeks past a cut.

A row is what one member kept of one item on one day; `day` is a day number, or a basket's index where only order is
known. Returns are lines with a negative quantity: at cuts after them they take back pieces of their own sale, or where
that is unknown the latest earlier ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recommend.columns import BadPurchases as BadPurchases
from recommend.columns import dates, days, numbered, refuse_missing, whole
from recommend.places import by_member_day_item
from recommend.returns import taken_back

Codes = NDArray[np.int32]
Amounts = NDArray[np.int64]
Labels = NDArray[Any]
ORDER_ONLY_SHARE, GAPPED_SHARE, STARTING_SHARE = 0.98, 0.7, 0.9


@dataclass(frozen=True, slots=True)
class PurchaseLog:
    """Rows rising by (member, day, item), one each; `member` and `item` are positions in `members` and `items`.

    Quantities are pieces, negative on returned lines; amounts are integer 分, 0 where unknown. `dated`: the days are
    certainly dates, so that nobody need guess whether they are only the order of baskets. `sold`, where a return tells
    it: the day of the sale that came back; returns of other days' sales are rows of their own, before the day's own.
    """

    member: Codes
    day: Codes
    item: Codes
    quantity: Codes
    amount: Amounts
    members: Labels
    items: Labels
    dated: bool = False
    sold: Codes | None = None

    def __post_init__(self) -> None:
        """Raise BadPurchases for ragged, out-of-range or unsorted columns; an empty log is allowed."""
        told = () if self.sold is None else (self.sold,)
        columns = (self.member, self.day, self.item, self.quantity, self.amount, *told)
        if len({len(column) for column in columns}) != 1:
            raise BadPurchases("columns of different lengths")
        if not len(self.member):
            return
        if self.member.min() < 0 or self.member.max() >= len(self.members):
            raise BadPurchases("a member code outside the labels")
        if self.item.min() < 0 or self.item.max() >= len(self.items):
            raise BadPurchases("an item code outside the labels")
        if not _rising(self.member, self.day, self.item, *told):
            raise BadPurchases("rows not sorted by member, day and item, or repeated")

    def __len__(self) -> int:
        return len(self.member)

    def _only(self, rows: NDArray[Any] | slice) -> "PurchaseLog":
        names = ("member", "day", "item", "quantity", "amount")
        sold = None if self.sold is None else self.sold[rows]
        return replace(self, sold=sold, **{name: getattr(self, name)[rows] for name in names})

    def before(self, cut: int) -> "PurchaseLog":
        """Return what was known when day `cut` began: earlier rows, net of the returns made by then."""
        return net_of_returns(self._only(self.day < cut))

    def since(self, day: int) -> "PurchaseLog":
        """Return the rows of that day and later, net of returns among them."""
        return net_of_returns(self._only(self.day >= day))

    def of(self, members: ArrayLike) -> "PurchaseLog":
        """Return the rows of these members (labels); codes keep their meaning."""
        return self._only(np.isin(self.members, np.asarray(members))[self.member])

    def between(self, first: int, end: int) -> "PurchaseLog":
        """Return the rows of the members with codes from `first` to before `end`; codes keep their meaning."""
        low, high = np.searchsorted(self.member, (first, end))
        return self._only(slice(low, high))

    def common(self, baskets: int) -> "PurchaseLog":
        """Return the rows of items seen in at least so many baskets (member-days); codes are made anew."""
        seen = np.bincount(self.item, minlength=len(self.items))
        return self._only((seen >= baskets)[self.item]).compact()

    def compact(self) -> "PurchaseLog":
        """Return the same rows with labels that no row uses left out."""
        members, member = np.unique(self.member, return_inverse=True)
        items, item = np.unique(self.item, return_inverse=True)
        return replace(
            self, member=member.astype(np.int32), item=item.astype(np.int32),
            members=self.members[members], items=self.items[items],
        )  # fmt: skip

    def at_level(self, parents: ArrayLike) -> "PurchaseLog":
        """Return the log one level up: `parents` gives each item's type or category, '' or None for none.

        Rows without a parent are left out; rows of one parent on one day become one.
        """
        labels = np.asarray(parents, dtype=object)
        if len(labels) != len(self.items):
            raise BadPurchases("one parent is needed for each item")
        kept = np.array([label is not None and label == label and label != "" for label in labels], dtype=np.bool_)
        names, codes = np.unique(labels[kept].astype(str), return_inverse=True)
        parent = np.full(len(labels), -1, dtype=np.int32)
        parent[kept] = codes
        return self.lifted(parent, names)

    def lifted(self, parent: Codes, names: Labels) -> "PurchaseLog":
        """Return the log by each item's parent (position in `names`, −1 for none), as `at_level` does."""
        rows = self._only((parent >= 0)[self.item])
        columns = rows.member, rows.day, parent[rows.item], rows.quantity, rows.amount
        return _summed(*columns, self.members, names, self.dated, rows.sold)

    def extended(self, more: "PurchaseLog") -> "PurchaseLog":
        """Return this log with another day's or week's added; new members and items get codes."""
        members, items = np.union1d(self.members, more.members), np.union1d(self.items, more.items)
        parts = [
            (np.searchsorted(members, log.members)[log.member], log.day, np.searchsorted(items, log.items)[log.item],
             log.quantity, log.amount, log.day if log.sold is None else log.sold)
            for log in (self, more)
        ]  # fmt: skip
        columns = [np.concatenate(pair) for pair in zip(*parts, strict=True)]
        member, day, item, quantity, amount, sold = columns
        return _summed(member, day, item, quantity, amount, members, items, self.dated and more.dated, sold)


def from_arrays(
    member: ArrayLike, day: ArrayLike, item: ArrayLike, quantity: ArrayLike | None = None,
    amount: ArrayLike | None = None, *, gift: ArrayLike | None = None, dated: bool = False,
    sold: ArrayLike | None = None,
) -> PurchaseLog:  # fmt: skip
    """Return the log of these lines in any order; lines of one member, day and item become one, gifts are left out.

    `day` holds whole numbers or dates; `dated`: the numbers are dates, too. `sold`: the day of the sale that a
    returned line belongs to, its own day where that is unknown. BadPurchases for NaN, NaT, fractions of days, ragged
    or no lines.
    """
    given = dates(np.asarray(day))
    dated = dated or np.issubdtype(given.dtype, np.datetime64)
    columns = [np.asarray(member), days(given), np.asarray(item)]
    count = len(columns[0])
    columns += [whole("quantity", quantity, count, 1), whole("amount", amount, count, 0)]
    columns += [columns[1] if sold is None else days(np.asarray(sold))]
    if len({len(column) for column in columns}) != 1:
        raise BadPurchases("columns of different lengths")
    if not count:
        raise BadPurchases("no purchases")
    for name, column in (("member", columns[0]), ("item", columns[2])):
        refuse_missing(name, column)
    bought = np.ones(count, dtype=np.bool_) if gift is None else ~np.asarray(gift, dtype=np.bool_)
    if len(bought) != count:
        raise BadPurchases("columns of different lengths")
    members, member_code = numbered("member", columns[0][bought])
    items, item_code = numbered("item", columns[2][bought])
    rest = [column[bought] for column in columns]
    return _summed(member_code, rest[1], item_code, rest[3], rest[4], members, items, dated, rest[5])


def from_frame(frame: Any, names: Mapping[str, str] | None = None) -> PurchaseLog:
    """Return the log of a DataFrame with columns member, day, item and perhaps quantity, amount, gift.

    `names` maps these to the frame's own column names; BadPurchases when one of the first three is missing.
    """
    own = {name: (names or {}).get(name, name) for name in ("member", "day", "item", "quantity", "amount", "gift")}
    missing = [own[name] for name in ("member", "day", "item") if own[name] not in frame.columns]
    if missing:
        raise BadPurchases(f"columns missing: {', '.join(missing)}")
    given: dict[str, Any] = {name: frame[column] for name, column in own.items() if column in frame.columns}
    if str(given["day"].dtype).startswith("datetime64[ns,"):  # the day where it was bought, not in Greenwich
        given["day"] = given["day"].dt.tz_localize(None)
    return from_arrays(**{name: column.to_numpy() for name, column in given.items()})


def from_parquet(path: Path, names: Mapping[str, str] | None = None) -> PurchaseLog:
    """Return the log of a Parquet file (needs the extra with pyarrow), columns as in `from_frame`."""
    import pyarrow.parquet as pq

    own = {name: (names or {}).get(name, name) for name in ("member", "day", "item", "quantity", "amount", "gift")}
    file = pq.ParquetFile(path)
    missing = [own[name] for name in ("member", "day", "item") if own[name] not in file.schema_arrow.names]
    if missing:
        raise BadPurchases(f"columns missing: {', '.join(missing)}")
    wanted = {name: column for name, column in own.items() if column in file.schema_arrow.names}
    table = file.read(columns=list(wanted.values()))
    given: dict[str, Any] = {name: np.asarray(table[column].to_pylist()) for name, column in wanted.items()}
    return from_arrays(**given)


def net_of_returns(log: PurchaseLog) -> PurchaseLog:
    """Return the log without returned pieces: each return takes back pieces of its own sale, else the latest."""
    if (log.quantity < 0).any():
        pair = log.member.astype(np.int64) * max(1, len(log.items)) + log.item
        quantity, amount = taken_back(pair, log.day, log.quantity, log.amount, log.sold)
        log = replace(log, quantity=quantity, amount=amount)
    kept = log if (log.quantity > 0).all() else log._only(log.quantity > 0)
    return kept if kept.sold is None else replace(kept, sold=None)


def is_order_only(log: PurchaseLog) -> bool:
    """Whether days are only basket indices: nearly all steps from a member's basket to the next are exactly 1.

    Never where they are known to be dates. Where dropped baskets left gaps, most steps are 1 and nearly all members
    start at the same index.
    """
    if log.dated:
        return False
    first = _firsts(log.member, log.day)
    member, day = log.member[first], log.day[first]
    same = member[1:] == member[:-1]
    steps = (day[1:] - day[:-1])[same]
    if not len(steps):
        return False
    starts = day[np.concatenate([[True], ~same])]
    together = float(np.mean(starts <= starts.min() + 2)) >= STARTING_SHARE
    return float(np.mean(steps == 1)) >= (GAPPED_SHARE if together else ORDER_ONLY_SHARE)


def aligned(log: PurchaseLog) -> PurchaseLog:
    """Return an order-only log counted from its end: every member's last basket is day −1, the one before −2."""
    first = _firsts(log.member, log.day)
    basket = np.cumsum(first) - 1
    total = np.bincount(log.member[first], minlength=len(log.members))
    end = np.cumsum(total)[log.member]
    return replace(log, day=(basket - end).astype(np.int32))


def _firsts(member: Codes, day: Codes) -> NDArray[np.bool_]:
    first = np.ones(len(member), dtype=np.bool_)
    first[1:] = (member[1:] != member[:-1]) | (day[1:] != day[:-1])
    return first


def _rising(*keys: NDArray[Any]) -> bool:
    below = np.zeros(max(0, len(keys[0]) - 1), dtype=np.bool_)
    tied = ~below
    for key in keys:
        below |= tied & (key[:-1] < key[1:])
        tied &= key[:-1] == key[1:]
    return bool(below.all())


def _summed(
    member: NDArray[Any], day: NDArray[Any], item: NDArray[Any], quantity: NDArray[Any], amount: NDArray[Any],
    members: Labels, items: Labels, dated: bool, sold: NDArray[Any] | None,
) -> PurchaseLog:  # fmt: skip
    sold = None if sold is None or (sold >= day).all() else np.minimum(sold, day)
    order = by_member_day_item(member, day, item, sold)
    member, day, item = member[order], day[order], item[order]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (member[1:] != member[:-1]) | (day[1:] != day[:-1]) | (item[1:] != item[:-1])
    if sold is not None:
        sold = sold[order]
        first[1:] |= sold[1:] != sold[:-1]
    at = np.flatnonzero(first)
    pieces = np.add.reduceat(quantity[order].astype(np.int64), at) if len(at) else quantity[:0]
    paid = np.add.reduceat(amount[order].astype(np.int64), at) if len(at) else amount[:0]
    return PurchaseLog(
        member=member[at].astype(np.int32), day=day[at].astype(np.int32), item=item[at].astype(np.int32),
        quantity=np.clip(pieces, -(2**31), 2**31 - 1).astype(np.int32), amount=paid.astype(np.int64),
        members=members, items=items, dated=dated, sold=None if sold is None else sold[at].astype(np.int32),
    )  # fmt: skip
