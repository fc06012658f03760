"""What receipts come to: the size of members' and the shop's baskets, and what everybody takes of a category.

Categories are counted over a bounded window of the newest receipts; only what at least three different buyers took
counts, because a list for everybody tells nothing of anybody.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, func, select

from members.clock import business_date
from members.products import KEPT
from members.tables import Order, OrderLine, Product, table
from recommend.baskets import BUYERS

WINDOW_DAYS, WINDOW_ORDERS, SIZES = 90, 5000, 500
CHUNK = 500
orders, lines, products = table(Order), table(OrderLine), table(Product)
_KEPT_ORDER = (orders.c.at <= bindparam("moment"), orders.c.day >= bindparam("since"), orders.c.state != "refunded")
_SIZE = orders.c.total - orders.c.refunded
_SIZES = select(orders.c.member_id, _SIZE).where(orders.c.member_id.in_(bindparam("of", expanding=True)), *_KEPT_ORDER)
_NEWEST = select(_SIZE).where(*_KEPT_ORDER).order_by(orders.c.day.desc(), orders.c.id.desc()).limit(SIZES)
_window = (
    select(orders.c.id, func.coalesce(orders.c.member_id, -orders.c.id).label("buyer"))
    .where(*_KEPT_ORDER)
    .order_by(orders.c.day.desc(), orders.c.id.desc())
    .limit(WINDOW_ORDERS)
    .subquery()
)
_TAKEN = (
    select(
        products.c.category, func.count(func.distinct(_window.c.id)),
        func.sum(lines.c.amount - lines.c.refunded_amount),
    )
    .select_from(_window.join(lines, lines.c.order_id == _window.c.id).join(products))
    .where(products.c.category.is_not(None), products.c.category.not_in(bindparam("without", expanding=True)), KEPT)
    .group_by(products.c.category)
    .having(func.count(func.distinct(_window.c.buyer)) >= BUYERS)
    .order_by(func.count(func.distinct(_window.c.id)).desc(), products.c.category)
)  # fmt: skip
_HOW_MANY = select(func.count()).select_from(_window)


@dataclass(frozen=True, slots=True)
class Taken:
    """Of one category: the share of the shop's receipts it is on, and what a receipt that has it spends on it (分)."""

    share: float
    amount: int


def sizes(
    connection: Connection, members: Sequence[int], *, now: datetime, zone: ZoneInfo, days: int
) -> Mapping[int, list[int]]:
    """Return {member: what each receipt of so many days came to, in 分}; who bought nothing is missing."""
    found: dict[int, list[int]] = defaultdict(list)
    since = business_date(now, zone) - timedelta(days=days)
    for start in range(0, len(members), CHUNK):
        bound = {"of": list(members[start : start + CHUNK]), "moment": now, "since": since}
        for member, size in connection.execute(_SIZES, bound):
            if size > 0:
                found[member].append(int(size))
    return found


def shop_sizes(connection: Connection, *, now: datetime, zone: ZoneInfo) -> list[int]:
    """Return what the shop's newest receipts came to, in 分."""
    bound = {"moment": now, "since": business_date(now, zone) - timedelta(days=WINDOW_DAYS)}
    return [int(size) for size in connection.execute(_NEWEST, bound).scalars() if size > 0]


def categories(
    connection: Connection, *, now: datetime, zone: ZoneInfo, without: Sequence[str]
) -> dict[str, Taken]:  # fmt: skip
    """Return {category code: what everybody takes of it}, the one on most receipts first."""
    bound = {"moment": now, "since": business_date(now, zone) - timedelta(days=WINDOW_DAYS), "without": list(without)}
    receipts = connection.execute(_HOW_MANY, bound).scalar_one()
    return {
        code: Taken(count / receipts, round(int(amount) / count))
        for code, count, amount in connection.execute(_TAKEN, bound)
        if amount > 0
    }
