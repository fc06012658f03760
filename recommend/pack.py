"""The pack of 10 product and 2 spend-and-save coupons: one assignment problem under a budget and a stock per template.

Maximise Σ value over the chosen offers, at most so many of each kind, one of each product and so many of each template
per member, Σ cost ≤ budget, each template ≤ its stock. The linear programme of (a sample of) the members prices the
budget and the stock; at these prices every member's best offers are found on their own, in linear time, and what is
over the limits is cut and refilled. The prices also bound what any pack could be worth, so each answer carries its own
proof of how far from best it can be.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]
Chosen = NDArray[np.bool_]
SAMPLE_ROWS = 20_000
ROUNDS = 60
EPSILON = 1e-9


class BadPack(ValueError):
    """Offers or limits that no pack can be made of: NaN, ragged, negative, repeated or out of range."""


@dataclass(frozen=True, slots=True)
class Offers:
    """One row a possible coupon: member and template codes, expected gain in 分, cost in whole 分, spend-and-save?

    `product` codes what a coupon is on; without it every template is on something of its own. `allowed`: how many
    copies of its template the member may still get, the same in all rows of the two; without it any number.
    """

    member: Numbers
    template: Numbers
    value: Numbers
    cost: Numbers
    spend: Chosen
    product: Numbers | None = None
    allowed: Numbers | None = None

    def __post_init__(self) -> None:
        """Raise BadPack for columns of different lengths, NaN, negative costs or a repeated row."""
        columns = [self.member, self.template, self.value, self.cost, self.spend, self.things]
        columns += [] if self.allowed is None else [self.allowed]
        if len({len(column) for column in columns}) != 1:
            raise BadPack("columns of different lengths")
        if not np.isfinite(self.value).all():
            raise BadPack("value has NaN")
        for name, column in (
            ("member", self.member), ("template", self.template), ("cost", self.cost), ("product", self.things)
        ):  # fmt: skip
            if not np.issubdtype(column.dtype, np.integer) or (len(column) and column.min() < 0):
                raise BadPack(f"{name} must be whole numbers from 0")
        if len(self.member):
            key = self.pair * (int(self.things.max()) + 1) + self.things
            if len(np.unique(key)) != len(key):
                raise BadPack("a template is offered twice to a member for one product")

    def pick(self, rows: Numbers) -> Self:
        """Return these rows."""
        allowed = None if self.allowed is None else self.allowed[rows]
        columns = (self.member, self.template, self.value, self.cost, self.spend, self.things)
        return replace(type(self)(*(column[rows] for column in columns)), allowed=allowed)

    @property
    def things(self) -> Numbers:
        """What each coupon is on."""
        return self.template if self.product is None else self.product

    @property
    def pair(self) -> Numbers:
        """Return a code of member and template per row."""
        return np.asarray(self.member.astype(np.int64) * (int(self.template.max(initial=0)) + 1) + self.template)

    @property
    def kind(self) -> Numbers:
        """Return a code of member and kind per row: 2·member, and 1 more for spend-and-save."""
        return np.asarray(self.member.astype(np.int64) * 2 + self.spend)

    @property
    def same(self) -> Numbers:
        """Return a code of member, kind and product per row, of which one at most is given."""
        return np.asarray(self.kind * (int(self.things.max(initial=0)) + 1) + self.things)


@dataclass(frozen=True, slots=True)
class Limits:
    """What may not be exceeded: 分 in all, coupons per template, coupons of each kind per member."""

    budget: int
    stock: Numbers
    products: int = 10
    spends: int = 2

    def __post_init__(self) -> None:
        """Raise BadPack for a negative limit."""
        if self.budget < 0 or self.products < 0 or self.spends < 0 or (len(self.stock) and self.stock.min() < 0):
            raise BadPack("a limit is negative")

    def each(self, spend: Numbers) -> Numbers:
        """Return how many of its kind a member may get, per row."""
        return np.where(spend, self.spends, self.products)


@dataclass(frozen=True, slots=True)
class Prices:
    """What one 分 of budget and one piece of each template's stock are worth, in 分 of value."""

    budget: float
    stock: Numbers

    def reduced(self, offers: Offers) -> Numbers:
        """Return each row's value less what it uses up."""
        return np.asarray(offers.value - self.budget * offers.cost - self.stock[offers.template])


@dataclass(frozen=True, slots=True)
class Pack:
    """The chosen rows, their value, and the most that any choice could be worth."""

    chosen: Chosen
    value: float
    bound: float
    prices: Prices

    def gap(self) -> float:
        """Return the share of the bound that may have been missed."""
        return 0.0 if self.bound <= EPSILON else max(0.0, 1 - self.value / self.bound)


def choose(offers: Offers, limits: Limits, sample_rows: int = SAMPLE_ROWS) -> Pack:
    """Choose the pack; only offers worth something are given, so a pack may have fewer coupons than allowed."""
    if len(offers.template) and offers.template.max() >= len(limits.stock):
        raise BadPack("a template without stock figure")
    worth = np.flatnonzero(offers.value > 0)
    useful = offers.pick(worth)
    priced = prices(useful, limits, sample_rows)
    taken = _taken(useful, limits, priced)
    chosen = np.zeros(len(offers.member), dtype=np.bool_)
    chosen[worth[taken]] = True
    return Pack(chosen, float(offers.value[chosen].sum()), bound(useful, limits, priced), priced)


def prices(offers: Offers, limits: Limits, sample_rows: int = SAMPLE_ROWS) -> Prices:
    """Return the dual prices of the linear programme over at most so many rows, limits scaled to the sample."""
    from scipy.optimize import linprog

    stock = np.asarray(limits.stock, dtype=np.float64)
    if not len(offers.member):
        return Prices(0.0, np.zeros(len(stock)))
    people = np.unique(offers.member)
    step = max(1, -(-len(offers.member) // sample_rows))
    few = offers.pick(np.flatnonzero(np.isin(offers.member, people[::step])))
    share = len(people[::step]) / len(people)
    use, kinds = _constraints(few, limits, len(stock))
    scaled = np.r_[limits.budget * share, stock * share]
    found = linprog(-few.value, A_ub=use, b_ub=np.r_[scaled, kinds], bounds=(0, 1), method="highs")
    dual = np.maximum(0.0, -np.asarray(found.ineqlin.marginals))
    return Prices(float(dual[0]), dual[1 : 1 + len(stock)])


def _constraints(offers: Offers, limits: Limits, templates: int) -> tuple[Any, Numbers]:
    from scipy import sparse

    count = len(offers.member)
    row, one = np.arange(count), np.ones(count)
    pairs, place = np.unique(offers.kind, return_inverse=True)
    _, thing, many = np.unique(offers.same, return_inverse=True, return_counts=True)
    rivals = np.flatnonzero(many > 1)
    rival = np.flatnonzero(many[thing] > 1)
    parts = [
        sparse.csr_matrix(offers.cost[None, :].astype(np.float64)),
        sparse.csr_matrix((one, (offers.template, row)), shape=(templates, count)),
        sparse.csr_matrix((one, (place, row)), shape=(len(pairs), count)),
        sparse.csr_matrix((one[rival], (np.searchsorted(rivals, thing[rival]), rival)), shape=(len(rivals), count)),
    ]
    most = [limits.each(pairs % 2 == 1), np.ones(len(rivals))]
    if offers.allowed is not None:
        _, first, copies = np.unique(offers.pair, return_index=True, return_inverse=True)
        parts.append(sparse.csr_matrix((one, (copies, row)), shape=(len(first), count)))
        most.append(offers.allowed[first])
    return sparse.vstack(parts).tocsr(), np.concatenate(most)


def bound(offers: Offers, limits: Limits, priced: Prices) -> float:
    """Return the Lagrangian bound: limits at their prices plus every member's best reduced values.

    Of one coupon a product and so many of a template, each member's better bound counts: both together are harder.
    """
    reduced, kind = priced.reduced(offers), offers.kind

    def relaxed(single: Chosen) -> Numbers:
        one = np.flatnonzero(single & (reduced > 0))
        best = one[_best(kind[one], reduced[one], limits.each(offers.spend[one]))]
        return np.asarray(np.bincount(kind[best], reduced[best], int(kind.max(initial=0)) + 1))

    most = relaxed(_best(offers.same, reduced, np.ones(len(reduced))))
    if offers.allowed is not None:
        most = np.minimum(most, relaxed(_best(offers.pair, reduced, offers.allowed)))
    return float(priced.budget * limits.budget + priced.stock @ limits.stock + most.sum())


def _taken(offers: Offers, limits: Limits, priced: Prices) -> Chosen:
    reduced, group, same = priced.reduced(offers), offers.kind, np.unique(offers.same, return_inverse=True)[1]
    allowed, pair = offers.allowed, np.unique(offers.pair, return_inverse=True)[1]
    taken = np.zeros(len(reduced), dtype=np.bool_)
    open_rows = np.flatnonzero(reduced > -EPSILON)
    for _ in range(ROUNDS):
        slack = limits.each(offers.spend) - np.bincount(group[taken], minlength=int(group.max(initial=0)) + 1)[group]
        left = limits.stock - np.bincount(offers.template[taken], minlength=len(limits.stock))
        money = limits.budget - int(offers.cost[taken].sum())
        rows = open_rows[(slack[open_rows] > 0) & (left[offers.template[open_rows]] > 0)]
        rows = rows[(offers.cost[rows] <= money) & ~np.isin(same[rows], same[taken])]
        rows = rows[_best(same[rows], reduced[rows], np.ones(len(rows)))]
        if allowed is not None:
            copies = allowed - np.bincount(pair[taken], minlength=int(pair.max(initial=0)) + 1)[pair]
            rows = rows[_best(pair[rows], reduced[rows], copies[rows])]
        wanted = rows[_best(group[rows], reduced[rows], slack[rows])]
        wanted = wanted[_best(offers.template[wanted], reduced[wanted], left[offers.template[wanted]])]
        wanted = wanted[np.argsort(-reduced[wanted], kind="stable")]
        wanted = wanted[np.cumsum(offers.cost[wanted]) <= money]
        taken[wanted] = True
        if not len(wanted):
            if len(open_rows) == len(reduced):
                break
            open_rows = np.arange(len(reduced))
    return taken


def _best(group: Numbers, worth: Numbers, count: Numbers) -> Chosen:
    """Return the mask of each group's `count` (the same all over a group) highest rows; ties go to the first row."""
    order = np.lexsort((-worth, group))
    ordered = group[order]
    first = np.r_[True, ordered[1:] != ordered[:-1]] if len(ordered) else np.zeros(0, dtype=np.bool_)
    starts = np.flatnonzero(first)
    rank = np.arange(len(ordered)) - np.repeat(starts, np.diff(np.r_[starts, len(ordered)]))
    kept = np.zeros(len(group), dtype=np.bool_)
    kept[order] = rank < count[order]
    return kept
