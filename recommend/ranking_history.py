"""A purchase log seen from a cut: rows grouped into baskets and into pairs (member, item), for sums by pair."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommend.matrix import BadPurchases, Codes, PurchaseLog
from recommend.places import placed, ranges

Floats = NDArray[np.float32]
Columns = dict[str, Floats]


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

    def only(self, pairs: NDArray[np.bool_]) -> "History":
        """Return the same baskets with these pairs alone (a mask over the pairs)."""
        start, length = self.start[pairs], (self.end - self.start + 1)[pairs]
        return replace(
            self, order=self.order[ranges(start, length)], start=np.cumsum(length) - length,
            end=np.cumsum(length) - 1, key=self.key[pairs],
        )  # fmt: skip

    def total(self, weight: NDArray[Any]) -> Floats:
        """Return the sums per pair of a weight given per row."""
        return self.sums(np.asarray(weight, dtype=np.float32)[self.order])

    def sums(self, weight: NDArray[Any]) -> Floats:
        """Return the sums per pair of a weight given in the pairs' `order`."""
        if not len(self.start):
            return np.zeros(0, dtype=np.float32)
        return np.add.reduceat(weight, self.start, dtype=np.float32)

    def share(self, weight: NDArray[Any]) -> Floats:
        """Return per row its weight over the sum of its member's basket weights: what decayed fraction of baskets."""
        whole = np.bincount(self.log.member[self.first], weight[self.first], len(self.log.members))
        return (weight / np.maximum(whole, 1e-9)[self.log.member]).astype(np.float32)

    def vectors(self, of_pair: Floats) -> Any:
        """Return the sparse members × items matrix of a figure given per pair."""
        ends = np.concatenate([[0], np.cumsum(np.bincount(self.pair_member, minlength=len(self.log.members)))])
        shape = (len(self.log.members), len(self.log.items))
        return sparse.csr_matrix((of_pair, self.pair_item, ends), shape=shape)

    @property
    def pair_member(self) -> Codes:
        """Members of the pairs, rising."""
        return (self.key // len(self.log.items)).astype(np.int32)

    @property
    def pair_item(self) -> Codes:
        """Items of the pairs, rising within a member."""
        return (self.key % len(self.log.items)).astype(np.int32)


def history(log: PurchaseLog, now: int) -> History:
    """Group a log that ends before `now`; BadPurchases when it is empty or reaches past the cut."""
    if not len(log):
        raise BadPurchases("no purchases before the cut")
    if int(log.day.max()) >= now:
        raise BadPurchases("the log reaches past the cut")
    first = np.ones(len(log), dtype=np.bool_)
    first[1:] = (log.member[1:] != log.member[:-1]) | (log.day[1:] != log.day[:-1])
    basket = np.cumsum(first, dtype=np.int32) - np.int32(1)
    baskets = np.bincount(log.member[first], minlength=len(log.members)).astype(np.int32)
    key = log.member.astype(np.int64) * len(log.items) + log.item
    order = placed(key, len(log.members) * len(log.items))
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


def dense(matrix: Any) -> Floats:
    """Return a sparse matrix as a full one."""
    return np.asarray(matrix.toarray(), dtype=np.float32)
