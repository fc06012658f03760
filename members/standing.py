"""What a member's spending amounts to within the rolling times of the tiers, and what is missing, in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from sqlalchemy import Connection, bindparam, case, func, select

from members.clock import add_months
from members.money import yuan
from members.rules import Span, TierRule
from members.tables import Order, table

YEAR = Span(12, "month")
_orders = table(Order)
_PAID = _orders.c.total - case((bindparam("gross"), 0), else_=_orders.c.refunded)
_FIGURES = (
    select(
        _orders.c.member_id,
        func.sum(_PAID).label("spent"),
        func.count(case((_PAID > 0, 1))).label("times"),
    )
    .where(
        _orders.c.member_id >= bindparam("first"), _orders.c.member_id <= bindparam("last"),
        _orders.c.day > bindparam("since"), _orders.c.day <= bindparam("until"),
    )
    .group_by(_orders.c.member_id)
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Demand:
    """One threshold of a tier: so many 分 spent, or so many orders, within a rolling time."""

    within: Span
    kind: Literal["spend", "orders"]
    needed: int


Figures = Mapping[Span, tuple[int, int]]
"""{rolling time: (分 spent, orders)}"""


def demands(tier: TierRule) -> list[Demand]:
    """Return every threshold of a tier; all of them must be reached."""
    found = (
        Demand(YEAR, "spend", tier.spend_12_months * 100),
        Demand(tier.within, "spend", tier.spend * 100),
        Demand(tier.within, "orders", tier.orders),
    )
    return [demand for demand in found if demand.needed]


def window_start(within: Span, day: date) -> date:
    """Return the last day before the rolling time that ends with `day`: what counts is after it."""
    if within.unit == "month":
        return add_months(day, -within.count)
    return day - timedelta(days=within.delta().days)


def figures(
    connection: Connection, tiers: Iterable[TierRule], member: int, day: date, *, gross: bool = False
) -> Figures:
    """Return the member's figures at the end of `day`; refunds are taken off unless `gross`."""
    return figures_between(connection, tiers, member, member, day, gross=gross)(member)


@dataclass(frozen=True, slots=True)
class Spending:
    """The figures of many members; who bought nothing has zeros."""

    found: Mapping[Span, Mapping[int, tuple[int, int]]]

    def __call__(self, member: int) -> Figures:
        """Return one member's figures."""
        return {within: rows.get(member, (0, 0)) for within, rows in self.found.items()}


def figures_between(
    connection: Connection, tiers: Iterable[TierRule], first: int, last: int, day: date, *, gross: bool = False
) -> Spending:
    """Return the figures of all members with an id from `first` to `last`: one query for each rolling time."""
    spans = {demand.within for tier in tiers for demand in demands(tier)}
    found: dict[Span, dict[int, tuple[int, int]]] = {}
    for within in spans:
        bound = {"first": first, "last": last, "since": window_start(within, day), "until": day, "gross": gross}
        rows = connection.execute(_FIGURES, bound)
        found[within] = {row.member_id: (int(row.spent), int(row.times)) for row in rows}
    return Spending(found)


def has(demand: Demand, found: Figures) -> int:
    """Return what there is of what a threshold asks for."""
    spent, times = found[demand.within]
    return spent if demand.kind == "spend" else times


def place_of(tiers: Sequence[TierRule], found: Figures) -> int:
    """Return the place of the highest tier whose every threshold is reached; the first asks for nothing."""
    return max(
        place
        for place, tier in enumerate(tiers)
        if all(has(demand, found) >= demand.needed for demand in demands(tier))
    )


def words(tier: TierRule, found: Figures) -> tuple[str, str]:
    """Return what there is and what the tier asks for: (近12个月消费 ¥3,120.00, ¥3,000.00)."""
    wanted = demands(tier)
    there = [f"近{span_words(demand.within)}消费 {_amount(demand.kind, has(demand, found))}" for demand in wanted]
    return "、".join(there), "、".join(_amount(demand.kind, demand.needed) for demand in wanted)


def span_words(span: Span) -> str:
    """Return a length of time in Chinese: 12个月, 30天."""
    return f"{span.count}{ {'month': '个月', 'week': '周', 'day': '天', 'hour': '小时', 'minute': '分钟'}[span.unit] }"


def _amount(kind: str, amount: int) -> str:
    return yuan(amount) if kind == "spend" else f"{amount} 次"
