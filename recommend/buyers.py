"""Who buys single articles and what else they buy, counted over all receipts of the look-back, never after `now`.

cosine(i, article) = members who bought both / √(members who bought i · members who bought the article), of what three
members at least bought with it. How many bought i is counted among every n-th member where members are many.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, func, select

from members.clock import business_date
from members.products import KEPT
from members.tables import Member, Order, OrderLine, Product, table
from recommend.baskets import BUYERS
from recommend.rules import RecommendRules

COUNTED = 40_000  # members among whom the buyers of an article are counted at most, more or less
orders, lines, products, members = table(Order), table(OrderLine), table(Product), table(Member)


def _bought(*columns: Any) -> Any:
    return (
        select(*columns)
        .select_from(orders.join(lines, lines.c.order_id == orders.c.id).join(products))
        .where(
            orders.c.member_id.is_not(None), orders.c.at <= bindparam("moment"), orders.c.day >= bindparam("since"),
            orders.c.state != "refunded", KEPT, products.c.category.is_not(None),
            products.c.category.not_in(bindparam("without", expanding=True)),
        )
    )  # fmt: skip


_MEMBERS = func.count(func.distinct(orders.c.member_id))
_TOOK = _bought(orders.c.member_id).where(products.c.sku == bindparam("sku")).distinct()
_BESIDE = (
    _bought(products.c.sku, _MEMBERS)
    .where(orders.c.member_id.in_(_TOOK))
    .group_by(products.c.sku)
    .having((_MEMBERS >= BUYERS) | (products.c.sku == bindparam("sku")))
)
_OF_EACH = (
    _bought(products.c.sku, _MEMBERS).where(orders.c.member_id % bindparam("stride") == 0).group_by(products.c.sku)
)
_ALL = _bought(_MEMBERS).where(orders.c.member_id % bindparam("stride") == 0)
_EACH = (select(members.c.id).where(members.c.state == "active", members.c.id % bindparam("stride") == 0)).order_by(
    members.c.id
)
_MANY = select(func.count()).select_from(members).where(members.c.state == "active")
_own = products.alias("own")
_KIN = select(products.c.sku).where(
    _own.c.sku == bindparam("sku"), products.c.category == _own.c.category,
    func.coalesce(_own.c.type, "").in_(("", products.c.type)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Beside:
    """What tells a taste for one article: {sku: cosine with it} (its own is 1), and its kin.

    `share`: {sku: (share of its buyers who buy that too, share of all who do)}. Kin are the articles of its type, or of
    its category where it has no type.
    """

    sku: str
    cosine: Mapping[str, float]
    share: Mapping[str, tuple[float, float]]
    kin: frozenset[str]


def beside(
    connection: Connection, skus: Sequence[str], *, now: datetime, zone: ZoneInfo, rules: RecommendRules,
    without: Sequence[str] = (),
) -> list[Beside]:  # fmt: skip
    """Return what goes with each of these articles, in their order; `without`: category codes left out of account."""
    since = business_date(now, zone) - timedelta(days=rules.look_back_days)
    bound: dict[str, Any] = {"moment": now, "since": since, "without": list(without)}
    stride = _stride(connection, COUNTED)
    sampled = bound | {"stride": stride}
    every = {sku: count * stride for sku, count in connection.execute(_OF_EACH, sampled)}
    buying = int(connection.execute(_ALL, sampled).scalar_one()) * stride
    found = []
    for sku in skus:
        both = {other: int(count) for other, count in connection.execute(_BESIDE, bound | {"sku": sku})}
        takers = both.pop(sku, 0)
        of = {one: max(every.get(one, 0), count) for one, count in both.items()}
        cosine = {one: count / sqrt(of[one] * takers) for one, count in both.items()}
        share = {one: (count / takers, of[one] / max(buying, of[one])) for one, count in both.items()}
        found.append(Beside(sku, {**cosine, sku: 1.0}, share, frozenset(connection.scalars(_KIN, {"sku": sku}))))
    return found


def sample(connection: Connection, many: int) -> list[int]:
    """Return about so many active members, every n-th of them, or all when there are fewer."""
    return list(connection.scalars(_EACH, {"stride": _stride(connection, many)}))


def _stride(connection: Connection, many: int) -> int:
    return -(-int(connection.execute(_MANY).scalar_one()) // many) or 1
