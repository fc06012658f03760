"""Coupons at the till: what they would take off, set aside, used up, given back."""

from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from bot.api import telling
from bot.api.answers import CouponState, Quote, QuotedCoupon, RefusedCoupon
from bot.api.asked import LockIn, QuoteIn, RedeemIn, ReverseIn, UnlockIn
from bot.api.call import Answer, Call, Here
from bot.api.describing import operation
from bot.api.fields import CouponCode
from bot.api.people import named
from bot.api.problems import words
from bot.api.reading import copy_seen, order_of, priced, usable
from handlers.copy import yuan
from members import audit, coupons, discounts, orders
from members.coupons import Copy
from members.discounts import Basket
from members.errors import MemberError

COUPONS, SCOPE = "coupons", "coupons:redeem"


def add_routes(router: APIRouter) -> None:
    """Add what tills do with coupons."""

    @router.post("/quotes", **operation(SCOPE, "试算:这些商品用哪些券最省", COUPONS, Quote, writes=False))
    def quote(call: Here, body: QuoteIn) -> Response:
        """Say which of the member's coupons together take most off a basket, and why the others do not count."""
        return call.look_up(lambda connection: _quote(call, connection, body))

    @router.post("/coupons/{code}/redeem", **operation(SCOPE, "核销", COUPONS, CouponState))
    def redeem(call: Here, code: CouponCode, body: RedeemIn) -> Response:
        """Redeem once: of any number of racing calls one wins, the others learn what happened."""
        return call.write(body, lambda connection: _redeem(call, connection, code, body), codes=True)

    @router.post("/coupons/{code}/reverse", **operation(SCOPE, "撤销核销", COUPONS, CouponState))
    def reverse(call: Here, code: CouponCode, body: ReverseIn) -> Response:
        """Take a redemption back: the member has the coupon again if it is still valid."""
        return call.write(body, lambda connection: _reverse(call, connection, code, body), codes=True)

    @router.post("/coupons/{code}/lock", **operation(SCOPE, "锁定", COUPONS, CouponState))
    def lock(call: Here, code: CouponCode, body: LockIn) -> Response:
        """Set a coupon aside while a basket is paid; a lock that ran out counts for nothing."""
        return call.write(body, lambda connection: _lock(call, connection, code, body), codes=True)

    @router.post("/coupons/{code}/unlock", **operation(SCOPE, "解除锁定", COUPONS, CouponState))
    def unlock(call: Here, code: CouponCode, body: UnlockIn) -> Response:
        """Set a coupon free again; only who locked it can."""
        return call.write(body, lambda connection: _unlock(call, connection, code, body), codes=True)


def _redeem(call: Call, connection: Connection, code: str, body: RedeemIn) -> Answer:
    store = call.store(connection, body.store)
    copy = copy_seen(call, connection, code, store)
    order = None if body.order_no is None else order_of(connection, store, body.order_no)
    if order is not None and order.member_id not in (None, copy.member):
        raise MemberError("coupon_not_theirs")
    most = copy.rule.worst_case(copy.face)
    if body.discount and most and body.discount > most:
        raise MemberError("coupon_discount", title=copy.title, most=yuan(most))
    done = coupons.redeem(
        connection, copy.code, by=call.by, store=store, now=call.now, lock_key=body.lock_key,
        order=None if order is None else order.id, discount=body.discount,
    )  # fmt: skip
    _audit(call, connection, "coupon.redeem", copy, {"discount": done.discount})
    telling.redeemed(call, connection, done, store)
    return Answer(CouponState(title=done.title, state="redeemed", member=done.member, discount=done.discount))


def _reverse(call: Call, connection: Connection, code: str, body: ReverseIn) -> Answer:
    store = call.store(connection, body.store)
    copy = copy_seen(call, connection, code, store)
    if copy.state == "redeemed" and orders.stands(connection, copy.order):
        raise MemberError("coupon_in_order", title=copy.title)
    back = coupons.reverse(connection, copy.id, by=call.by, now=call.now)
    _audit(call, connection, "coupon.reverse", copy, {"discount": copy.discount})
    telling.reversed_back(call, connection, copy, valid=back.state == "issued")
    state: Literal["issued", "expired"] = "issued" if back.state == "issued" else "expired"
    return Answer(CouponState(title=copy.title, state=state, member=copy.member, until=copy.expires_at))


def _lock(call: Call, connection: Connection, code: str, body: LockIn) -> Answer:
    store = call.store(connection, body.store)
    copy = copy_seen(call, connection, code, store)
    locked = coupons.lock(
        connection, copy.code, lock_key=body.lock_key, seconds=body.seconds, by=call.by, store=store, now=call.now
    )
    _audit(call, connection, "coupon.lock", copy, {"seconds": body.seconds})
    return Answer(CouponState(title=copy.title, state="locked", member=copy.member, until=locked.until))


def _unlock(call: Call, connection: Connection, code: str, body: UnlockIn) -> Answer:
    copy = copy_seen(call, connection, code, call.store(connection, body.store))
    if coupons.unlock(connection, copy.code, lock_key=body.lock_key, by=call.by, now=call.now):
        _audit(call, connection, "coupon.unlock", copy, {})
    else:
        coupons.refuse_unusable(copy, call.now)
    return Answer(CouponState(title=copy.title, state="issued", member=copy.member, until=copy.expires_at))


def _audit(call: Call, connection: Connection, action: str, copy: Copy, detail: dict[str, object]) -> None:
    audit.write(connection, call.by, action, copy.member, {"coupon": copy.id, **detail}, now=call.now)


def _quote(call: Call, connection: Connection, body: QuoteIn) -> Quote:
    store = call.store(connection, body.store)
    member = named(call, connection, body.member.named())
    owned = {copy.id: copy for copy in usable(call, connection, member, store)}
    local = (body.at or call.now).astimezone(call.service.config.shop.zone).replace(tzinfo=None)
    basket = Basket(priced(connection, body.lines), store, local)
    best = discounts.best(basket, [coupons.held(connection, copy) for copy in owned.values()])
    applied = [
        QuotedCoupon(**_shown(call, owned[one.id]), discount=one.discount, lines=list(one.lines))
        for one in best.applied
    ]
    refused = [_refused(call, owned[number], code, best.gaps.get(number, 0)) for number, code in best.refusals.items()]
    return Quote(total=basket.cost, discount=best.total, payable=best.payable, applied=applied, refused=refused)


def _refused(call: Call, copy: Copy, code: str, gap: int) -> RefusedCoupon:
    since = copy.rule.since.isoformat() if copy.rule.since else ""
    why = words(call.service.copy, code, {"title": copy.title, "gap": yuan(gap), "day": since})
    return RefusedCoupon(**_shown(call, copy), refusal=code, reason=why, gap=gap)


def _shown(call: Call, copy: Copy) -> dict[str, Any]:
    code = coupons.spell(copy.code) if call.redeems else None
    return {"title": copy.title, "template": copy.template, "code": code}
