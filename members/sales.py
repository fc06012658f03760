"""What a till says about a sale, before any book is opened: pure checks, and how a discount falls on its lines."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from members.allotment import shares
from members.errors import MemberError

MOST = 10**10
MOST_QUANTITY = 10**6
MOST_LINES = 1000
NAME_CHARS = 64
AHEAD = timedelta(minutes=5)
OLDEST = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Buyer:
    """How a till names who buys: by `phone`, `card`, `openid`, `member` (id), `code` (the member code), or `shop`.

    The value of a shop's own customer number is `ISSUER:NUMBER`.
    """

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class NewLine:
    """One line: `amount` 分 are paid for all of `quantity`, after the line's own `discount`."""

    sku: str
    name: str
    quantity: int
    amount: int
    discount: int = 0
    category: str = ""
    brand: str = ""


@dataclass(frozen=True, slots=True)
class NewOrder:
    """One sale: `total` 分 are paid, `pay_balance` of it from the balance, after `discount` in all (lines' included).

    Lines come to the total, or to the total and what of the discount no line names. No lines at all are right, too.
    `scope` is who numbers the orders: a store, or '' for the whole group. `coupons` are codes or coupon tokens;
    `lock_key` opens those that the till has locked.
    """

    order_no: str
    scope: str
    store: str | None
    buyer: Buyer | None
    at: datetime
    lines: Sequence[NewLine]
    total: int
    discount: int = 0
    pay_balance: int = 0
    coupons: Sequence[str] = ()
    source: str = ""
    lock_key: str = ""


def check(order: NewOrder, now: datetime, *, oldest: timedelta | None = OLDEST) -> None:
    """Refuse what can't be a sale: MemberError of a number, an amount, an instant or lines that don't add up."""
    check_number(order.order_no)
    when(order.at, now)
    if oldest is not None and order.at < now - oldest:
        raise MemberError("order_old", days=oldest.days)
    money(order.total, order.discount, order.pay_balance)
    if order.pay_balance > order.total:
        raise MemberError("order_pay_too_much")
    if len(order.lines) > MOST_LINES or len(set(order.coupons)) != len(order.coupons):
        raise MemberError("order_lines")
    for line in order.lines:
        money(line.amount, line.discount)
        if not 0 < line.quantity <= MOST_QUANTITY or not 0 < len(line.sku) <= NAME_CHARS:
            raise MemberError("order_lines")
    if order.lines:
        _check_sum(order)


def check_number(text: str) -> None:
    """Refuse a number of an order or a refund that is empty, too long or unprintable: MemberError('order_no')."""
    if not 0 < len(text) <= NAME_CHARS or not text.isprintable() or text != text.strip():
        raise MemberError("order_no", most=NAME_CHARS)


def when(at: datetime, now: datetime) -> None:
    """Refuse an instant that is yet to come, as clocks of tills go: MemberError('order_future')."""
    if at > now + AHEAD:
        raise MemberError("order_future")


def money(*amounts: int) -> None:
    """Refuse 分 below zero or above 100 million 元: MemberError('amount_range')."""
    if any(not 0 <= amount <= MOST for amount in amounts):
        raise MemberError("amount_range", most=MOST // 100)


def unnamed_discount(order: NewOrder) -> int:
    """Return the 分 of the discount that no line names."""
    return order.discount - sum(line.discount for line in order.lines)


def _check_sum(order: NewOrder) -> None:
    over = sum(line.amount for line in order.lines) - order.total
    if unnamed_discount(order) < 0 or over not in (0, unnamed_discount(order)):
        raise MemberError("order_sum")


def spread(order: NewOrder, first: Sequence[int] = ()) -> NewOrder:
    """Return the order with what no line names of its discount on its lines: they come to the total.

    It falls where `first` (分 a line: what the coupons take there) says, what is more of it by the lines' amounts: what
    was free brings nothing back when it is returned. Where the lines came to the total already, it is only named.
    """
    over, unnamed = sum(line.amount for line in order.lines) - order.total, unnamed_discount(order)
    if not order.lines or not unnamed:
        return order
    amounts = [line.amount for line in order.lines]
    least = [min(part, amount) for part, amount in zip(first or [0] * len(amounts), amounts, strict=True)]
    parts = shares(min(unnamed, sum(least)), least)
    more = shares(unnamed - sum(parts), [amount - part for amount, part in zip(amounts, parts, strict=True)])
    return replace(order, lines=[
        replace(line, amount=line.amount - (part + rest if over else 0), discount=line.discount + part + rest)
        for line, part, rest in zip(order.lines, parts, more, strict=True)
    ])  # fmt: skip


def words(order: NewOrder, day: date) -> str:
    """Return what tells two sales of one number apart: everything said of them; of the instant, the business day."""
    lines = [
        (line.sku, line.name, line.quantity, line.amount, line.discount, line.category, line.brand)
        for line in order.lines
    ]
    buyer = None if order.buyer is None else (order.buyer.kind, order.buyer.value)
    figures = (order.total, order.discount, order.pay_balance)
    said = (order.scope, order.order_no, order.store, buyer, day.isoformat(), figures, tuple(order.coupons), lines)
    return json.dumps(said, ensure_ascii=False)
