"""Every coupon that could be in a member's pack, with its gain and cost: columns, made chunk after chunk of members."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from members.coupons import CATEGORY, PRODUCT
from members.rules import CouponRule
from recommend.baskets import Goods
from recommend.likely import OF_ARTICLES, Likely, any_of
from recommend.pack import Offers
from recommend.pack_values import SpendAndSave, SpendValue, Stretch, product_value, spend_values
from recommend.takings import Taken

Numbers = NDArray[Any]
YUAN = 100


@dataclass(frozen=True, slots=True)
class Belief:
    """What the shop believes: `margin` of turnover, `extra` as in product_value, `visit` as in Stretch."""

    margin: float
    extra: float
    visit: float

    def stretch(self) -> Stretch:
        """Return what spend-and-save coupons are judged by."""
        return Stretch(margin=self.margin, visit=self.visit)


@dataclass(frozen=True, slots=True)
class Held:
    """What members have already: (member, template, category) of live copies, and copies granted so far.

    Without a category a live copy stands for all of its template.
    """

    live: frozenset[tuple[int, str, str]]
    granted: Mapping[tuple[int, str], int]

    def has(self, member: int, code: str, category: str = "") -> bool:
        """Tell whether a live copy is of this template and on the same thing."""
        return (member, code, "") in self.live or (member, code, category) in self.live

    def may(self, member: int, code: str, rule: CouponRule) -> int:
        """Return how many more of a template a member may get."""
        most = 2**31 - 1 if rule.per_member is None else rule.per_member
        return max(0, most - self.granted.get((member, code), 0))


@dataclass(frozen=True, slots=True)
class Why:
    """Why a coupon is offered: by what it is known, and the words, shared by all who have the same."""

    by: str
    words: str


@dataclass(slots=True)
class Codes:
    """Numbers for values, in the order in which they are met."""

    values: list[Any] = field(default_factory=list)
    places: dict[Any, int] = field(default_factory=dict)

    def of(self, value: Any) -> int:
        """Return the value's number."""
        place = self.places.setdefault(value, len(self.values))
        if place == len(self.values):
            self.values.append(value)
        return place


COLUMNS: Mapping[str, Any] = {
    "member": np.int64, "template": np.int32, "thing": np.int32, "article": np.int32, "told": np.int32, "why": np.int32,
    "chance": np.float32, "value": np.float64, "cost": np.int64, "spend": np.bool_, "allowed": np.int64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """A row a possible coupon that is worth something, rising by member; codes are places in the lists.

    `things` are category codes, or a template's own where it is on the whole basket. `article`: what it is on, `told`:
    of what the reason speaks; −1 is none.
    """

    templates: Sequence[str]
    things: Sequence[str]
    articles: Sequence[str]
    whys: Sequence[Why]
    columns: Mapping[str, Numbers]

    def members(self) -> list[int]:
        """Return who has any."""
        found: list[int] = np.unique(self.columns["member"]).tolist()
        return found

    def of(self, members: Iterable[int]) -> "Options":
        """Return the rows of these members."""
        return self.pick(np.isin(self.columns["member"], np.fromiter(members, dtype=np.int64)))

    def pick(self, rows: Numbers) -> "Options":
        """Return these rows."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Options(self.templates, self.things, self.articles, self.whys, columns)

    def offers(self) -> Offers:
        """Return the rows as the assignment takes them."""
        of = self.columns
        member = np.unique(of["member"], return_inverse=True)[1]
        return Offers(member, of["template"], of["value"], of["cost"], of["spend"], of["thing"], of["allowed"])


@dataclass(frozen=True, slots=True)
class Table:
    """What coupons there are to lay out: templates on products and spend-and-save ones, what categories come to.

    `watched`: templates on products of which a live copy keeps others off the same thing, also those used up.
    """

    products: Mapping[str, CouponRule]
    spends: Mapping[str, CouponRule]
    taken: Mapping[str, Taken]
    names: Mapping[str, str]
    shelf: Mapping[str, Goods | None]
    baskets: Sequence[int]
    belief: Belief
    watched: Sequence[str]

    def ladder(self) -> list[SpendAndSave]:
        """Return the rungs of the spend-and-save templates, in their order."""
        return [SpendAndSave(rule.over * YUAN, (rule.off or 0) * YUAN) for rule in self.spends.values()]

    def spend(self, baskets: Sequence[int]) -> list[SpendValue]:
        """Return what each rung is worth with these baskets; nothing when the shop has none to judge by."""
        if not self.baskets or not self.spends:
            return []
        return spend_values(baskets, self.baskets, self.ladder(), self.belief.stretch())


@dataclass(slots=True)
class Layout:
    """Lays out the options of members, a chunk at a time."""

    table: Table
    templates: Codes = field(default_factory=Codes)
    things: Codes = field(default_factory=Codes)
    articles: Codes = field(default_factory=Codes)
    whys: Codes = field(default_factory=Codes)
    parts: list[dict[str, Numbers]] = field(default_factory=list)

    def add(self, chunk: Iterable[tuple[int, Sequence[Likely], Sequence[int]]], held: Held) -> None:
        """Lay out a chunk: (member, what they are likely to buy, what their receipts came to), rising by member."""
        rows: list[tuple[Any, ...]] = []
        for member, likely, baskets in chunk:
            rows += self._products(member, likely, held)
            rows += self._spends(member, baskets, held)
        if not rows:
            return
        read = (
            "member", "template", "thing", "article", "told", "why", "chance", "price", "off", "value", "cost", "spend",
            "allowed",
        )  # fmt: skip
        raw = dict(zip(read, map(np.array, zip(*rows, strict=True)), strict=True))
        gain, cost = product_value(
            raw["chance"], raw.pop("price"), raw.pop("off"), self.table.belief.margin, self.table.belief.extra
        )
        spend = raw["spend"].astype(np.bool_)
        raw |= {"value": np.where(spend, raw["value"], gain), "cost": np.where(spend, raw["cost"], cost)}
        worth = raw["value"] > 0
        self.parts.append({name: raw[name][worth].astype(kind) for name, kind in COLUMNS.items()})

    def options(self) -> Options:
        """Return all that was laid out."""
        columns = {
            name: np.concatenate([part[name] for part in self.parts]) if self.parts else np.zeros(0, dtype=kind)
            for name, kind in COLUMNS.items()
        }
        return Options(self.templates.values, self.things.values, self.articles.values, self.whys.values, columns)

    def _products(self, member: int, likely: Sequence[Likely], held: Held) -> Iterator[tuple[Any, ...]]:
        for code, rule in self.table.products.items():
            allowed = held.may(member, code, rule)
            if not allowed:
                continue
            template = self.templates.of(code)
            for one, chance, sku in self._fitting(rule, likely):
                goods = self.table.shelf.get(sku)
                price = (goods.price if goods is not None else None) or self._amount(one.category)
                off = taken_off(rule, price)
                if off <= 0 or any(held.has(member, other, one.category) for other in self.table.watched):
                    continue
                why = self.whys.of(Why(one.by, one.words))
                thing, article = self.things.of(one.category), self.articles.of(sku) if sku else -1
                told = self.articles.of(one.articles[0][0]) if one.by in OF_ARTICLES else -1
                yield member, template, thing, article, told, why, chance, price, off, 0.0, 0, False, allowed

    def _fitting(self, rule: CouponRule, likely: Sequence[Likely]) -> Iterator[tuple[Likely, float, str]]:
        """Yield (what a template would be on for a member, the chance that it is bought, the article if it is one)."""
        scope = rule.scope
        if scope.products and PRODUCT not in scope.products:
            wanted = set(scope.products)
            within = [(one, [pair for pair in self._branded(rule, one) if pair[0] in wanted]) for one in likely]
            within = [(one, some) for one, some in within if some]
            if within:
                one, some = max(within, key=lambda pair: pair[1][0][1])
                yield one, any_of([pair for _, some in within for pair in some]), some[0][0]
            return
        for one in likely:
            some = self._branded(rule, one)
            if not self._within(rule, one.category) or (scope.brands and not some):
                continue
            if not scope.products:
                yield one, any_of(some) if scope.brands else one.chance, ""
            elif some:
                sku, chance = some[0]
                yield one, chance, sku

    def _branded(self, rule: CouponRule, one: Likely) -> list[tuple[str, float]]:
        """Return the articles of a suggestion that are of a template's brands."""
        if not rule.scope.brands:
            return [*one.articles]
        shelf = self.table.shelf
        return [pair for pair in one.articles if (goods := shelf.get(pair[0])) and goods.brand in rule.scope.brands]

    def _within(self, rule: CouponRule, category: str) -> bool:
        scope, kinds = rule.scope, {category, self.table.names.get(category, category)}
        return not kinds & set(scope.exclude) and (scope.category in ("", CATEGORY) or scope.category in kinds)

    def _amount(self, category: str) -> int:
        taken = self.table.taken.get(category)
        return 0 if taken is None else taken.amount

    def _spends(self, member: int, baskets: Sequence[int], held: Held) -> Iterator[tuple[Any, ...]]:
        codes = list(self.table.spends)
        usual = round(float(np.median(baskets if len(baskets) else self.table.baskets or [0])) / YUAN)
        why = self.whys.of(Why("baskets" if len(baskets) else "shop_baskets", str(usual)))
        for found in self.table.spend(baskets):
            code = codes[found.rung]
            rule = self.table.spends[code]
            allowed = held.may(member, code, rule)
            if found.value <= 0 or not allowed or held.has(member, code):
                continue
            off = (rule.off or 0) * YUAN
            template, thing = self.templates.of(code), self.things.of(f"{code}\n")
            yield member, template, thing, -1, -1, why, found.cost / off, 0, 0, found.value, found.cost, True, allowed


def taken_off(rule: CouponRule, price: int) -> int:
    """Return what a coupon takes off an article or a category's usual amount, in 分; 0 when its threshold is above."""
    if price < rule.over * YUAN:
        return 0
    if rule.percent is not None:
        off = price * rule.percent // 100
        return off if rule.cap is None else min(off, rule.cap * YUAN)
    return min((rule.off or 0) * YUAN, price)
