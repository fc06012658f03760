"""What is known of a member and a coupon on the morning a mailing starts: counts, affinities and promotion habits.

Everything is counted from receipts of days strictly before the cut. A coupon is a set of products; a cell is one member
times one coupon of one mailing. Receipts with a coupon on them are those whose `saved` is positive.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import rankdata

Numbers = NDArray[Any]
Dense = NDArray[np.float32]
REFERENCE = 5_000
NEIGHBOURS = 80
NEVER_DAYS = 400
RANKED = ("own", "spend", "type_affinity", "brand_affinity", "type_breadth", "brand_breadth", "neighbours")
SUMMED = (
    "own", "own_45", "coupon_own", "type_affinity", "brand_breadth", "spend", "products", "coupon_brand",
    "neighbours", "lift",
)  # fmt: skip


class BadCoupons(ValueError):
    """Receipts, mailings or redemptions that can't be learnt from: empty, NaN, unsorted or out of range."""


@dataclass(frozen=True, slots=True)
class Receipts:
    """Lines by rising day: member and item codes, day numbers, 分 paid and 分 saved by a coupon of any kind."""

    member: Numbers
    item: Numbers
    day: Numbers
    amount: Numbers
    saved: Numbers
    members: int
    items: int

    def __post_init__(self) -> None:
        """Raise BadCoupons unless the columns are whole, of one length, in range and sorted by day."""
        columns = {name.name: getattr(self, name.name) for name in fields(self)[:5]}
        if len({len(column) for column in columns.values()}) != 1:
            raise BadCoupons("columns of different lengths")
        for name, column in columns.items():
            if not np.issubdtype(column.dtype, np.integer):
                raise BadCoupons(f"{name} must be whole numbers without NaN")
        if len(self.day) and (np.diff(self.day) < 0).any():
            raise BadCoupons("receipts not sorted by day")
        for name, column, size in (("member", self.member, self.members), ("item", self.item, self.items)):
            if len(column) and (column.min() < 0 or column.max() >= size):
                raise BadCoupons(f"{name} code out of range")

    def before(self, cut: int) -> Self:
        """Return the lines of days before the cut."""
        end = int(np.searchsorted(self.day, cut))
        columns = {name.name: getattr(self, name.name)[:end] for name in fields(self)[:5]}
        return replace(self, **columns)


@dataclass(frozen=True, slots=True)
class Mailing:
    """Coupons (rows of `products`, coupons × items of 0 and 1) sent to members (codes, rising) for some days."""

    name: str
    start: int
    end: int
    members: Numbers
    products: Any

    def __post_init__(self) -> None:
        """Raise BadCoupons for nobody, nothing, a coupon without products, or members out of order."""
        if not len(self.members) or (np.diff(self.members) <= 0).any():
            raise BadCoupons(f"mailing {self.name}: members must be rising and not empty")
        if not self.products.shape[0] or (np.diff(self.products.indptr) == 0).any():
            raise BadCoupons(f"mailing {self.name}: every coupon needs a product")
        if self.end < self.start:
            raise BadCoupons(f"mailing {self.name} ends before it starts")


@dataclass(frozen=True, slots=True)
class Redemptions:
    """Who used which coupon (row of which mailing's products) on which day."""

    member: Numbers
    mailing: Numbers
    coupon: Numbers
    day: Numbers

    def taken(self, mailings: Sequence[Mailing], which: int) -> NDArray[np.bool_]:
        """Return members × coupons of one mailing: redeemed at least once."""
        mailing = mailings[which]
        mine = np.flatnonzero((self.mailing == which) & np.isin(self.member, mailing.members))
        found = np.zeros((len(mailing.members), mailing.products.shape[0]), dtype=np.bool_)
        found[np.searchsorted(mailing.members, self.member[mine]), self.coupon[mine]] = True
        return found


@dataclass(frozen=True)
class Past:
    """The shop as it stood before a cut: members × items counts, plain, decayed, paid and with coupons."""

    cut: int
    receipts: Receipts
    counts: Mapping[str, Any]
    levels: Mapping[str, Any]
    last: Any
    kin: Any
    kin_of: Numbers

    @classmethod
    def of(cls, receipts: Receipts, levels: Mapping[str, Numbers], cut: int) -> Self:
        """Count the receipts before the cut; `levels` gives each item's code at levels like type, category, brand."""
        seen = receipts.before(cut)
        wrong = [name for name, codes in levels.items() if len(codes) != receipts.items]
        if wrong:
            raise BadCoupons(f"levels need one code for each item: {', '.join(wrong)}")
        member, item, day, amount, saved = _daily(seen)
        age, shape = cut - day, (seen.members, seen.items)

        def cells(weight: Numbers) -> Any:
            return sparse.csr_matrix((weight.astype(np.float32), (member, item)), shape=shape)

        weights = {"own": age * 0 + 1, "own_14": 0.5 ** (age / 14), "own_45": 0.5 ** (age / 45),
                   "spend": amount / 100, "coupon_own": saved > 0}  # fmt: skip
        counts = {name: cells(weight) for name, weight in weights.items()}
        counts["coupon_own"].eliminate_zeros()
        key, place = np.unique(member.astype(np.int64) * seen.items + item, return_inverse=True)
        newest = np.full(len(key), -(2**30), dtype=np.int64)
        np.maximum.at(newest, place, day)
        last = sparse.csr_matrix((NEVER_DAYS - np.minimum(cut - newest, NEVER_DAYS - 1), np.divmod(key, seen.items)),
                                 shape=shape)  # fmt: skip
        groups = {name: _membership(codes) for name, codes in levels.items()}
        kin = _profile(counts["own"], groups.get("type"))
        sample = np.unique(np.linspace(0, seen.members - 1, min(REFERENCE, seen.members)).astype(np.int64))
        return cls(cut, seen, counts, groups, last, kin, sample)

    def people(
        self, mailing: Mailing, rows: Numbers, facts: Mapping[str, Dense], answered: Redemptions, mailed: Numbers
    ) -> Dense:
        """Return rows × features of whether one redeems at all; `mailed`: earlier mailings to each member."""
        habits = self._habits(mailing, rows, answered, mailed)
        columns = list(habits)
        for name in SUMMED:
            if name in facts:
                values = np.log1p(np.maximum(facts[name], 0))
                few = min(5, values.shape[1])
                columns.append(values.max(axis=1))
                columns.append(-np.partition(-values, few - 1, axis=1)[:, :few].mean(axis=1))
                columns.append(values.sum(axis=1))
        columns += [(facts["own"] > 0).sum(axis=1), facts["own"].sum(axis=1) / (1 + np.exp(habits[0]))]
        return np.stack(columns, axis=1).astype(np.float32)

    def _habits(self, mailing: Mailing, rows: Numbers, answered: Redemptions, mailed: Numbers) -> list[Numbers]:
        seen, who, size = self.receipts, mailing.members[rows], self.receipts.members
        recent = seen.day >= self.cut - 60

        def count(member: Numbers, weight: Numbers | None = None) -> Numbers:
            return np.asarray(np.bincount(member, weights=weight, minlength=size)[who], dtype=np.float64)

        lines, couponed = count(seen.member), count(seen.member[seen.saved > 0])
        past = answered.day < self.cut
        pairs = np.unique(np.stack([answered.member[past], answered.mailing[past]], axis=1), axis=0)
        newest = np.full(size, -NEVER_DAYS + self.cut)
        np.maximum.at(newest, answered.member[past], answered.day[past])
        visits = np.unique(np.stack([seen.member, seen.day], axis=1), axis=0)
        responded = count(pairs[:, 0])
        return [
            np.log1p(lines), np.log1p(couponed), couponed / (lines + 10),
            np.log1p(count(seen.member[recent & (seen.saved > 0)])), np.log1p(count(seen.member, seen.amount / 100)),
            np.log1p(count(seen.member, seen.saved / 100)), np.log1p(count(visits[:, 0])),
            np.log1p(count(visits[visits[:, 1] >= self.cut - 30, 0])), np.log1p(count(answered.member[past])),
            responded, mailed[who], (responded + 0.25) / (mailed[who] + 2),
            np.minimum(self.cut - newest[who], NEVER_DAYS), np.full(len(who), mailing.products.shape[0]),
            np.full(len(who), mailing.end - mailing.start),
        ]  # fmt: skip

    def facts(self, mailing: Mailing, rows: Numbers) -> dict[str, Dense]:
        """Return {feature: rows × coupons} of the addressees at these rows of the mailing."""
        who, products = mailing.members[rows], mailing.products.astype(np.float32)
        across, own = products.T.tocsr(), self.counts["own"]
        found = {name: _array(counts[who] @ across) for name, counts in self.counts.items()}
        total, popular = _sum(own[who], 1), _sum(own, 0)
        everything = max(1.0, float(popular.sum()))
        wanted = products @ popular
        found["products"] = _array((own[who] > 0).astype(np.float32) @ across)
        found["recency"] = NEVER_DAYS - _newest(self.last[who], across, found["own"].shape)
        found["lift"] = np.log((found["own"] + 0.5) / (np.outer(total, wanted / everything) + 0.5))
        weighted = products.multiply(popular[None, :] + np.float32(0.1)).tocsr()
        for name, members in self.levels.items():
            bought, scope = own[who] @ members, _rows_to_one(weighted @ members)
            found[f"{name}_affinity"] = _array(bought @ scope.T)
            found[f"{name}_breadth"] = _array(bought @ ((products @ members) > 0).astype(np.float32).T)
            usual = np.outer(total / everything, scope @ _sum(own @ members, 0))
            found[f"{name}_lift"] = np.log((found[f"{name}_affinity"] + 0.3) / (usual + 0.3))
            if name == "brand":
                found["coupon_brand"] = _array((self.counts["coupon_own"][who] @ members) @ scope.T)
        if "type_breadth" in found:
            found["loyalty"] = found["own"] / (found["type_breadth"] + 1)
        found["neighbours"] = self._neighbours(who) @ _array((own[self.kin_of] @ across) > 0)
        redeemed = products @ _sum(self.counts["coupon_own"], 0)
        buyers = _sum((own @ across) > 0, 0)
        common = {"coupon_rate": (redeemed + 0.5) / (wanted + 30), "coupon_count": np.log1p(redeemed),
                  "popularity": np.log1p(wanted), "buyers": np.log1p(buyers),
                  "size": np.log1p(_sum(products, 1))}  # fmt: skip
        shape = found["own"].shape
        found |= {name: np.broadcast_to(values, shape) for name, values in common.items()}
        return {name: np.asarray(values, dtype=np.float32) for name, values in found.items()}

    def _neighbours(self, who: Numbers) -> Any:
        alike = _array(self.kin[who] @ self.kin[self.kin_of].T)
        alike[who[:, None] == self.kin_of[None, :]] = 0
        count = min(NEIGHBOURS, alike.shape[1])
        best = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        weight = np.take_along_axis(alike, best, axis=1) ** 2
        place = np.repeat(np.arange(len(who)), count)
        return _rows_to_one(sparse.csr_matrix((weight.ravel(), (place, best.ravel())), shape=alike.shape))


def cells(facts: Mapping[str, Dense]) -> tuple[list[str], Dense]:
    """Return names and members × coupons × features, each centred within the member's mailing."""
    plain = {name: _compressed(name, values) for name, values in facts.items()}
    ranked = {f"rank_{name}": _percentile(plain[name]) for name in RANKED if name in plain}
    columns = [values - values.mean(axis=1, keepdims=True) for values in (plain | ranked).values()]
    return list(plain | ranked), np.stack(columns, axis=-1).astype(np.float32)


def _daily(seen: Receipts) -> tuple[Numbers, Numbers, Numbers, Numbers, Numbers]:
    order = np.lexsort((seen.item, seen.day, seen.member))
    member, item, day = seen.member[order], seen.item[order], seen.day[order]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (member[1:] != member[:-1]) | (day[1:] != day[:-1]) | (item[1:] != item[:-1])
    at = np.flatnonzero(first)
    if not len(at):
        return (seen.member,) * 5
    amount, saved = (np.add.reduceat(column[order], at) for column in (seen.amount, seen.saved))
    return member[at], item[at], day[at], amount, saved


def _membership(codes: Numbers) -> Any:
    one = np.ones(len(codes), dtype=np.float32)
    return sparse.csr_matrix((one, (np.arange(len(codes)), codes)), shape=(len(codes), int(codes.max()) + 1))


def _profile(own: Any, types: Any) -> Any:
    counts = (own if types is None else own @ types).tocsr().log1p()
    rarity = np.log(counts.shape[0] / (1.0 + _sum(counts > 0, 0))).clip(0)
    scaled = counts @ sparse.diags(rarity.astype(np.float32))
    norm = np.sqrt(_sum(scaled.multiply(scaled), 1))
    return sparse.diags((1 / np.maximum(norm, 1e-9)).astype(np.float32)) @ scaled


def _newest(last: Any, across: Any, shape: tuple[int, ...]) -> Numbers:
    last = last.tocoo()
    span = np.diff(across.indptr)[last.col]
    starts = np.repeat(across.indptr[last.col] - np.r_[0, np.cumsum(span)[:-1]], span) if len(span) else span
    coupon = across.indices[starts + np.arange(span.sum())]
    found = np.zeros(shape)
    np.maximum.at(found, (np.repeat(last.row, span), coupon), np.repeat(last.data, span))
    return found


def _rows_to_one(matrix: Any) -> Any:
    return (sparse.diags((1 / np.maximum(_sum(matrix, 1), 1e-9)).astype(np.float32)) @ matrix).tocsr()


def _sum(matrix: Any, axis: int) -> Numbers:
    return np.asarray(matrix.sum(axis=axis), dtype=np.float64).ravel()


def _array(matrix: Any) -> Dense:
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, dtype=np.float32)


def _compressed(name: str, values: Numbers) -> Numbers:
    signed = name == "lift" or name.endswith("_lift") or name in (
        "loyalty", "neighbours", "coupon_rate", "coupon_count", "popularity", "buyers", "size",
    )  # fmt: skip
    return np.asarray(values if signed else np.log1p(np.maximum(values, 0)), dtype=np.float32)


def _percentile(values: Numbers) -> Numbers:
    ranks = np.asarray(rankdata(values, axis=1)) - 1
    return np.asarray(ranks / max(1, values.shape[1] - 1))
