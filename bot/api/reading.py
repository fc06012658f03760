"""What the API shows of the books: orders and coupons of the caller's store, prices of a basket."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, bindparam, select

from bot.api.answers import LineOut, OrderOut
from bot.api.asked import PricedIn
from bot.api.call import Call
from members import coupons
from members.coupons import Copy
from members.discounts import Line
from members.errors import MemberError
from members.rules import CouponRule
from members.tables import Category, Order, OrderLine, Product, table

_orders, _lines, _products, _categories = table(Order), table(OrderLine), table(Product), table(Category)
_ORDER = select(_orders).where(_orders.c.scope == bindparam("whose"), _orders.c.order_no == bindparam("order_number"))
_LINES = (
    select(_lines, _products.c.sku, _products.c.name)
    .select_from(_lines.join(_products, _lines.c.product_id == _products.c.id))
    .where(_lines.c.order_id == bindparam("which"))
    .order_by(_lines.c.line_no)
)
_GOODS = (
    select(_products.c.sku, _products.c.category, _categories.c.name, _products.c.brand)
    .select_from(_products.outerjoin(_categories, _products.c.category == _categories.c.code))
    .where(_products.c.sku.in_(bindparam("skus", expanding=True)))
)


def copy_seen(call: Call, connection: Connection, text: str, store: str | None) -> Copy:
    """Return the coupon that a code, or the short code a member shows, names.

    MemberError('coupon_unknown', 'coupon_mistyped'). To a key with a store, a coupon that is not for that store, or was
    used in another, is unknown.
    """
    copy = coupons.find(connection, text, now=call.now, vault=call.service.vault)
    if _hidden(call, copy):
        raise MemberError("coupon_unknown", hidden=True)
    return copy


def hide_of_others(call: Call, connection: Connection, codes: Sequence[str]) -> None:
    """Refuse codes of coupons that this key must not see (MemberError coupon_unknown); of others nothing is asked."""
    if call.caller.store is not None and any(_hidden(call, copy) for copy in _known(call, connection, codes)):
        raise MemberError("coupon_unknown", hidden=True)


def _known(call: Call, connection: Connection, codes: Sequence[str]) -> Iterator[Copy]:
    for text in codes:
        with suppress(MemberError):
            yield coupons.find(connection, text, now=call.now, vault=call.service.vault)


def _hidden(call: Call, copy: Copy) -> bool:
    store = call.caller.store
    elsewhere = copy.state == "redeemed" and copy.redeemed_store != store
    return store is not None and (elsewhere or not in_scope(copy.rule, store))


def usable(call: Call, connection: Connection, member: int, store: str | None) -> list[Copy]:
    """Return what the member can use in a store now, expiring first."""
    found = (coupons.by_id(connection, row.id) for row in coupons.usable(connection, member, call.now))
    return [copy for copy in found if in_scope(copy.rule, store)]


def in_scope(rule: CouponRule, store: str | None) -> bool:
    """Tell whether a coupon may be used in a store (None: whichever)."""
    return store is None or not rule.scope.stores or store in rule.scope.stores


def order_seen(connection: Connection, store: str | None, number: str) -> OrderOut:
    """Return an order by whose number it is (a store's, or the group's); MemberError('order_unknown')."""
    row = order_of(connection, store, number)
    lines = [
        LineOut(
            sku=line.sku, name=line.name, quantity=line.quantity, amount=line.amount, discount=line.discount,
            refunded_quantity=line.refunded_quantity, refunded_amount=line.refunded_amount,
        )
        for line in connection.execute(_LINES, {"which": row.id})
    ]  # fmt: skip
    return OrderOut(
        order_no=row.order_no, store=row.store_id, member=row.member_id, at=row.at, total=row.total,
        discount=row.discount, refunded=row.refunded, paid_principal=row.paid_principal, paid_gift=row.paid_gift,
        state=row.state, lines=lines,
    )  # fmt: skip


def order_of(connection: Connection, store: str | None, number: str) -> Any:
    """Return the row of an order by whose number it is; MemberError('order_unknown')."""
    row = connection.execute(_ORDER, {"whose": store or "", "order_number": number}).one_or_none()
    if row is None:
        raise MemberError("order_unknown")
    return row


def priced(connection: Connection, asked: Sequence[PricedIn]) -> list[Line]:
    """Return a basket's lines; category and brand of an article we know are ours, of others the till's."""
    known = {row.sku: row for row in connection.execute(_GOODS, {"skus": sorted({line.sku for line in asked})})}
    found = []
    for line in asked:
        article = known.get(line.sku)
        if article is None:
            found.append(Line(line.sku, line.quantity, line.unit_price, line.category, line.brand))
        else:
            kind, name, brand = article.category or "", article.name or "", article.brand
            found.append(Line(line.sku, line.quantity, line.unit_price, kind, brand, name))
    return found
