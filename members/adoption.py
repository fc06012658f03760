"""Orders of buyers nobody knew: attached and earned for when they bind; and the words that ask them to.

What came back meanwhile takes its share of the points then, as if the buyer had been known from the first.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, exists, select, update

from members import audit, buyers, notices, points, rewarding, tiers
from members.audit import Actor
from members.buyers import Held
from members.earning import EarnLine
from members.money import yuan
from members.notices import SERVICE, Say
from members.orders import Taken
from members.returns import parts
from members.rewarding import Sale
from members.rules import Rules
from members.tables import Category, Movement, Order, OrderLine, Product, Refund, Store, table
from members.vault import Vault

orders, lines, products, categories = table(Order), table(OrderLine), table(Product), table(Category)
stores, refunds, movements = table(Store), table(Refund), table(Movement)
CHUNK = 500

_ATTACH = (
    update(orders)
    .where(orders.c.member_id.is_(None), orders.c.buyer.in_(bindparam("marks", expanding=True)))
    .values(member_id=bindparam("whose"))
    .returning(orders.c.id)
)
_UNPAID = (
    select(
        orders.c.id, orders.c.total, orders.c.at, orders.c.day, orders.c.store_id, orders.c.refunded, stores.c.brand,
    )
    .select_from(orders.outerjoin(stores))
    .where(
        orders.c.member_id == bindparam("whose"), orders.c.buyer.in_(bindparam("marks", expanding=True)),
        orders.c.at >= bindparam("since"), orders.c.state != "refunded",
        ~exists().where(movements.c.order_id == orders.c.id, movements.c.kind == "earn"),
    )
    .order_by(orders.c.at, orders.c.id)
)  # fmt: skip
_GOODS = (
    select(lines.c.order_id, products.c.category, products.c.brand, products.c.sku, lines.c.amount, categories.c.name)
    .select_from(lines.join(products).outerjoin(categories, products.c.category == categories.c.code))
    .where(lines.c.order_id.in_(bindparam("of", expanding=True)))
    .order_by(lines.c.order_id, lines.c.line_no)
)
_REFUNDS = (
    select(refunds.c.id, refunds.c.refund_no, refunds.c.amount)
    .where(refunds.c.order_id == bindparam("which"))
    .order_by(refunds.c.id)
)
_TAKEN = (
    update(refunds)
    .where(refunds.c.id == bindparam("which"))
    .values(points_due=bindparam("due"), points_taken=bindparam("taken"))
)


def adopt(
    connection: Connection, vault: Vault, rules: Rules, member: int, marks: Sequence[str], *, app: str, by: Actor,
    now: datetime,
) -> int:  # fmt: skip
    """Make orders of these marks (buyers.marks_of) the member's; return how many.

    Those not older than loyalty.adopt_days earn, once, by the rules and the tier of today; gifts are not given.
    """
    held, named = buyers.hold(connection, member), sorted({mark for mark in marks if mark})
    if held is None or not named:
        return 0
    bound = {"whose": held.id, "marks": named}
    found = set(connection.scalars(_ATTACH, bound))
    since = now - timedelta(days=rules.loyalty.adopt_days)
    young = connection.execute(_UNPAID, bound | {"since": since}).all()
    goods = _goods(connection, [row.id for row in young])
    earned = {row.id: _earn(connection, rules, held, row, goods.get(row.id, ()), by, now) for row in young}
    found |= {order for order, points_given in earned.items() if points_given}
    if found:
        tiers.review(connection, rules, held.id, by=by, now=now)
        detail = {"orders": sorted(found)[:100], "count": len(found), "points": sum(earned.values())}
        audit.write(connection, by, "order.adopt", held.id, detail, now=now)
    return len(found)


def _goods(connection: Connection, numbers: Sequence[int]) -> dict[int, list[EarnLine]]:
    found: dict[int, list[EarnLine]] = {}
    for start in range(0, len(numbers), CHUNK):
        rows = connection.execute(_GOODS, {"of": list(numbers[start : start + CHUNK])})
        for order, category, brand, sku, amount, name in rows:
            found.setdefault(order, []).append(EarnLine(category or "", brand, sku, amount, name or ""))
    return found


def _earn(
    connection: Connection, rules: Rules, held: Held, row: Any, goods: Sequence[EarnLine], by: Actor, now: datetime
) -> int:
    """Give the points of one order, and take back those of what was refunded; return what is left."""
    sale = Sale(row.id, row.total, 0, goods, row.store_id or "", row.brand or "", row.at, row.day)
    earned = rewarding.earn(connection, rules, held, sale, by=by, now=now)
    if not earned or not row.refunded:
        return earned
    refunded = lost = 0
    for refund in connection.execute(_REFUNDS, {"which": row.id}).all():
        before = parts(row.total, 0, 0, earned, refunded).points
        refunded += refund.amount
        due = parts(row.total, 0, 0, earned, refunded).points - before
        taken = points.take_back(
            connection, rules, held.id, due, order=row.id, key=f"refund:{row.id}:{refund.refund_no}:points", by=by,
            reason=f"退款 {yuan(refund.amount)}", now=now,
        )  # fmt: skip
        connection.execute(_TAKEN, {"which": refund.id, "due": due, "taken": taken})
        lost += taken
    return earned - lost


def ask_to_bind(connection: Connection, say: Say, taken: Taken, *, now: datetime) -> bool:
    """Ask a follower who paid without being a member to bind, once per order; return whether a notice is new."""
    if not taken.unknown_buyer or taken.buyer is None or taken.buyer.kind != "openid":
        return False
    return notices.tell_openid(
        connection, say, openid=taken.buyer.value, text="notice_bind_prompt", key=f"{taken.order}", facts={}, now=now,
        channels=SERVICE,
    )  # fmt: skip
