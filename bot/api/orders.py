"""Sales, refunds and exchanges."""

from collections.abc import Sequence

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from bot.api import telling
from bot.api.answers import (
    CouponBack,
    ExchangeMade,
    GiftOut,
    OrderOut,
    OrderTaken,
    RefundMade,
    TierOut,
    UsedCoupon,
)
from bot.api.asked import ExchangeIn, OrderIn, RefundIn
from bot.api.call import Answer, Call, Here
from bot.api.describing import operation
from bot.api.fields import Number, StoreId
from bot.api.reading import hide_of_others, order_seen
from members import orders, refunds
from members.gifts import GiftDone
from members.orders import NewLine, NewOrder, Taken
from members.refunds import NewRefund, Refunded, RefundLine

SALES = "orders"


def add_routes(router: APIRouter) -> None:
    """Add what tills do with orders."""

    @router.post("/orders", **operation("orders:write", "记一笔订单", SALES, OrderTaken, status=201, also=200))
    def take_order(call: Here, body: OrderIn) -> Response:
        """Take a sale once per store and number: points, gifts, coupons, balance and tier move with it."""
        return call.write(body, lambda connection: _take(call, connection, body), codes=bool(body.coupons))

    @router.post(
        "/orders/{no}/refund",
        **operation("refunds:write", "退款,可多次、可部分", SALES, RefundMade, status=201, also=200),
    )
    def refund_order(call: Here, no: Number, body: RefundIn) -> Response:
        """Give money back, with the points, and on a full refund the coupons and gifts, that belonged to it."""
        return call.write(body, lambda connection: _refund(call, connection, no, body))

    @router.post(
        "/orders/{no}/exchange",
        **operation("refunds:write", "换货:退和买一起成,或都不成", SALES, ExchangeMade, status=201, also=200),
    )
    def exchange_order(call: Here, no: Number, body: ExchangeIn) -> Response:
        """Take goods back and sell others, in one transaction."""
        return call.write(
            body, lambda connection: _exchange(call, connection, no, body), codes=bool(body.bought.coupons)
        )

    @router.get("/orders/{no}", **operation("orders:read", "查一笔订单", SALES, OrderOut, writes=False))
    def get_order(call: Here, no: Number, store: StoreId | None = None) -> Response:
        """Show an order as it stands; `store` says whose number it is."""
        return call.read(lambda connection: order_seen(connection, call.store(connection, store), no))


def _take(call: Call, connection: Connection, body: OrderIn) -> Answer:
    wanted = _new_order(call, connection, body)
    service = call.service
    taken = orders.take(
        connection, service.vault, service.config.rules, wanted, app=service.config.wechat.app_id, by=call.by,
        now=call.now,
    )  # fmt: skip
    telling.taken(call, connection, wanted, taken)
    return Answer(_taken(call, wanted.store, taken), 201 if taken.created else 200)


def _refund(call: Call, connection: Connection, no: str, body: RefundIn) -> Answer:
    wanted = _new_refund(call, connection, no, body)
    service = call.service
    done = refunds.refund(connection, service.vault, service.config.rules, wanted, by=call.by, now=call.now)
    telling.refunded(call, connection, done)
    return Answer(_refunded(wanted.refund_no, done), 201 if done.created else 200)


def _exchange(call: Call, connection: Connection, no: str, body: ExchangeIn) -> Answer:
    returned = _new_refund(call, connection, no, body.returned)
    bought = _new_order(call, connection, body.bought)
    service = call.service
    done = refunds.exchange(
        connection, service.vault, service.config.rules, returned, bought, app=service.config.wechat.app_id,
        by=call.by, now=call.now,
    )  # fmt: skip
    telling.refunded(call, connection, done.refunded)
    telling.taken(call, connection, bought, done.taken)
    back, sold = _refunded(returned.refund_no, done.refunded), _taken(call, bought.store, done.taken)
    created = done.refunded.created or done.taken.created
    return Answer(ExchangeMade(returned=back, bought=sold, to_pay=done.to_pay), 201 if created else 200)


def _new_order(call: Call, connection: Connection, body: OrderIn) -> NewOrder:
    store = call.store(connection, body.store)
    hide_of_others(call, connection, body.coupons)
    lines = [NewLine(**line.model_dump()) for line in body.lines]
    return NewOrder(
        order_no=body.order_no, scope=store or "", store=store, buyer=body.buyer.named() if body.buyer else None,
        at=body.at or call.now, lines=lines, total=body.total, discount=body.discount, pay_balance=body.pay_balance,
        coupons=tuple(body.coupons), source="api", lock_key=body.lock_key,
    )  # fmt: skip


def _new_refund(call: Call, connection: Connection, no: str, body: RefundIn) -> NewRefund:
    store = call.store(connection, body.store)
    lines = [RefundLine(line.sku, line.quantity, line.amount) for line in body.lines]
    return NewRefund(store or "", no, body.refund_no, body.amount, lines, body.at or call.now, body.reason)


def _taken(call: Call, store: str | None, taken: Taken) -> OrderTaken:
    tier, own = taken.tier, [gift for gift in taken.gifts if gift.member == taken.member]
    return OrderTaken(
        order_no=taken.order_no, store=store, created=taken.created, member=taken.member,
        unknown_buyer=taken.unknown_buyer, points=taken.points, pending=taken.pending,
        paid_principal=taken.principal, paid_gift=taken.gift, gifts=gifts_out(call, own),
        coupons=[UsedCoupon(title=used.title, discount=used.discount) for used in taken.coupons],
        tier=None if tier is None else TierOut(before=tier.before, after=tier.after, reason=tier.reason),
    )  # fmt: skip


def gifts_out(call: Call, gifts: Sequence[GiftDone]) -> list[GiftOut]:
    """Return gifts as tills read them: a coupon's code only where the key may redeem it."""
    codes = call.redeems
    return [
        GiftOut(
            title=gift.title, points=gift.points, coupon_title=gift.coupon_title or None,
            coupon_code=(codes and gift.coupon_code) or None, expires_at=gift.expires_at,
        )
        for gift in gifts
    ]  # fmt: skip


def _refunded(refund_no: str, done: Refunded) -> RefundMade:
    return RefundMade(
        order_no=done.order_no, refund_no=refund_no, created=done.created, amount=done.amount,
        cash_back=done.cash_back, principal_back=done.principal_back, gift_back=done.gift_back, left=done.left,
        points_due=done.points_due, points_taken=done.points_taken,
        coupons_back=[CouponBack(title=title, state=state) for title, state in done.coupons_back],
        gifts_taken=list(done.gifts_taken),
    )  # fmt: skip
