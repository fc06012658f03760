"""Which coupons a basket may use and what they take off: pure arithmetic, exact, the same for the same input.

Every coupon has a demand: what it would take off alone, and how much of that from which lines at most. Thresholds
look at what the scope's lines cost before any discount. Coupons used together never take more from a line than it
costs: what a set takes off is the maximum flow from its demands into its lines, so that no order of applying them does
better. One coupon of each `stack` group; the best combination is found by branch and bound, because what a further
coupon adds to a set is never more than it takes off alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from members.allotment import Demand, allot, shares
from members.rules import WEEKDAYS, CouponRule

PERCENT = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a basket; prices in 分. `amount` where the line costs something else than quantity × unit price."""

    sku: str
    quantity: int
    unit_price: int
    category: str = ""
    brand: str = ""
    category_name: str = ""
    amount: int | None = None

    @property
    def cost(self) -> int:
        """Return what the line costs before coupons."""
        return self.quantity * self.unit_price if self.amount is None else self.amount


@dataclass(frozen=True, slots=True)
class Basket:
    """What somebody buys, where, and when by the shop's own clock."""

    lines: Sequence[Line]
    store: str | None
    at: datetime

    @property
    def cost(self) -> int:
        """Return what the basket costs before coupons."""
        return sum(line.cost for line in self.lines)


@dataclass(frozen=True, slots=True)
class Held:
    """A coupon somebody holds; `face` (分) where its template leaves open what it takes off."""

    id: int
    rule: CouponRule
    face: int | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """A coupon that is used, what it takes off, and how much of that from each line; sums are exact."""

    id: int
    discount: int
    lines: Sequence[int]


@dataclass(frozen=True, slots=True)
class Best:
    """What is used (in the order the coupons were given), what is left to pay, and why the others are not used.

    `gaps`: what is still to be bought (分) where a threshold is not reached.
    """

    applied: Sequence[Applied]
    total: int
    payable: int
    refusals: Mapping[int, str]
    gaps: Mapping[int, int] = field(default_factory=dict)


def wrong_time(rule: CouponRule, at: datetime) -> str:
    """Return coupon_not_yet or coupon_wrong_time when a rule does not hold at a local time, else nothing."""
    if rule.since is not None and at.date() < rule.since:
        return "coupon_not_yet"
    scope = rule.scope
    if scope.days and WEEKDAYS[at.weekday()] not in scope.days:
        return "coupon_wrong_time"
    return "coupon_wrong_time" if scope.hours is not None and not scope.hours.holds(at.time()) else ""


def refusal(basket: Basket, held: Held) -> tuple[str, int]:
    """Return (why a coupon can't be used on this basket, 分 still missing), ('', 0) when it can."""
    rule = held.rule
    if rule.scope.stores and basket.store not in rule.scope.stores:
        return "coupon_wrong_store", 0
    if late := wrong_time(rule, basket.at):
        return late, 0
    within = [line for line in basket.lines if in_scope(line, rule)]
    if not within:
        return "coupon_scope", 0
    missing = rule.over * PERCENT - sum(line.cost for line in within)
    if missing > 0:
        return "coupon_threshold", missing
    if rule.thing or demand(basket, held).amount > 0:
        return "", 0
    return ("coupon_bundle" if rule.bundle else "coupon_free" if rule.free else "coupon_nothing"), 0


def in_scope(line: Line, rule: CouponRule) -> bool:
    """Tell whether a coupon applies to a line."""
    scope, kinds = rule.scope, {line.category, line.category_name} - {""}
    if line.sku in scope.exclude or not kinds.isdisjoint(scope.exclude):
        return False
    if scope.category and scope.category not in kinds:
        return False
    if scope.products and line.sku not in scope.products:
        return False
    return not scope.brands or line.brand in scope.brands


def demand(basket: Basket, held: Held) -> Demand:
    """Return what a coupon takes off this basket when it is used alone; thresholds are not looked at here."""
    rule, costs = held.rule, [line.cost if in_scope(line, held.rule) else 0 for line in basket.lines]
    whole = sum(costs)
    if rule.off is not None:
        return Demand(min(rule.off * PERCENT if held.face is None else held.face, whole), tuple(costs))
    if rule.percent is not None:
        share = whole * rule.percent // PERCENT
        return Demand(share if rule.cap is None else min(share, rule.cap * PERCENT), tuple(costs))
    if rule.free is not None:
        return _free(basket, rule, costs)
    if rule.bundle is not None:
        return _bundle(basket, rule, costs)
    return Demand(0, (0,) * len(costs))


def _free(basket: Basket, rule: CouponRule, costs: Sequence[int]) -> Demand:
    """The cheapest articles, one unit after the other; of equal ones the first line's."""
    free, units = rule.free, []
    assert free is not None
    for place, line in enumerate(basket.lines):
        named = not free.products or line.sku in free.products
        kind = not free.category or free.category in (line.category, line.category_name)
        if named and kind and costs[place] and line.quantity > 0:
            units += [(line.cost // line.quantity, place)] * min(line.quantity, free.items)
    taken = [0] * len(costs)
    for price, place in sorted(units)[: free.items]:
        taken[place] += price
    return Demand(sum(taken), tuple(taken))


def _bundle(basket: Basket, rule: CouponRule, costs: Sequence[int]) -> Demand:
    """One unit of each article (the dearest line that has it) for the price of the bundle."""
    bundle, none = rule.bundle, Demand(0, (0,) * len(costs))
    assert bundle is not None
    taken, units = [0] * len(costs), [line.quantity for line in basket.lines]
    for sku in bundle.products:
        found = [
            (line.cost // line.quantity, -place)
            for place, line in enumerate(basket.lines)
            if line.sku == sku and units[place] > 0 and costs[place]
        ]
        if not found:
            return none
        price, place = max(found)
        taken[-place] += price
        units[-place] -= 1
    saved = sum(taken) - bundle.price * PERCENT
    return none if saved <= 0 else Demand(saved, tuple(shares(saved, taken)))


def best(basket: Basket, held: Sequence[Held]) -> Best:
    """Return the combination that takes off most; of equal ones that with fewer coupons, then the one found first.

    What takes nothing off (a gift, more points, an experience) is used where its group is free. The order of `held` is
    the order of preference between equals.
    """
    refusals: dict[int, str] = {}
    gaps: dict[int, int] = {}
    legal: list[Held] = []
    for one in held:
        why, missing = refusal(basket, one)
        if why:
            refusals[one.id] = why
            gaps |= {one.id: missing} if missing else {}
        else:
            legal.append(one)
    costs = [line.cost for line in basket.lines]
    demands = {one.id: demand(basket, one) for one in legal}
    chosen = Search(legal, demands, costs).run()
    groups = {one.rule.stack for one in legal if one.id in chosen}
    for one in legal:
        if one.rule.thing and one.rule.stack not in groups:
            groups.add(one.rule.stack)
            chosen.add(one.id)
    used = [one for one in legal if one.id in chosen]
    flow = allot([demands[one.id] for one in used], costs)
    applied = [Applied(one.id, sum(part), tuple(part)) for one, part in zip(used, flow, strict=True)]
    for one in legal:
        if one.id not in chosen:
            refusals[one.id] = "coupon_stack" if one.rule.stack in groups else "coupon_nothing"
    total = sum(one.discount for one in applied)
    return Best(applied, total, basket.cost - total, refusals, gaps)


class Search:
    """Branch and bound over the stack groups: of each group one coupon, since more never take off less."""

    def __init__(self, legal: Sequence[Held], demands: Mapping[int, Demand], costs: Sequence[int]) -> None:
        self._demands, self._costs = demands, costs
        groups: dict[str, dict[Demand, int]] = {}
        for one in legal:
            if demands[one.id].amount > 0:
                groups.setdefault(one.rule.stack, {}).setdefault(demands[one.id], one.id)
        by_amount = [sorted(alike.values(), key=lambda which: -demands[which].amount) for alike in groups.values()]
        self._groups = sorted(by_amount, key=lambda ids: -demands[ids[0]].amount)
        tops = [demands[ids[0]].amount for ids in self._groups]
        self._rest = [sum(tops[place:]) for place in range(len(tops) + 1)]
        self._most = sum(costs)
        self._best: tuple[int, list[int]] = (0, [])

    def run(self) -> set[int]:
        """Return the ids that take off most together, none of them superfluous."""
        self._try(0, [], 0)
        total, ids = self._best
        for which in reversed(ids[:]):
            fewer = [other for other in ids if other != which]
            if self._total(fewer) == total:
                ids = fewer
        return set(ids)

    def _try(self, place: int, ids: list[int], total: int) -> None:
        if total > self._best[0]:
            self._best = (total, ids)
        if place == len(self._groups) or min(total + self._rest[place], self._most) <= self._best[0]:
            return
        for which in self._groups[place]:
            if min(total + self._demands[which].amount + self._rest[place + 1], self._most) <= self._best[0]:
                break
            self._try(place + 1, [*ids, which], self._total([*ids, which]))

    def _total(self, ids: Sequence[int]) -> int:
        return sum(map(sum, allot([self._demands[which] for which in ids], self._costs)))
