"""What members are told of what a till did: after a sale, a refund, a redemption, a gift."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection

from bot.api.call import Call
from handlers.copy import yuan
from members import adoption, gifts, shops, tiers
from members.coupons import Copy, Redeemed
from members.gifts import GiftDone
from members.orders import NewOrder, Taken
from members.perks import Perk
from members.plans import Bought
from members.returns import Refunded


def taken(call: Call, connection: Connection, order: NewOrder, sale: Taken) -> None:
    """Tell of a sale and what it brought; who is no member yet is asked to bind. A repetition tells nothing."""
    say, now = call.service.copy.text, call.now
    if not sale.created:
        return
    if sale.member is None:
        for used in sale.coupons:
            redeemed(call, connection, used, order.store)
        call.told(adoption.ask_to_bind(connection, say, sale, now=now))
        return
    parts = [say("sale_coupons", titles="、".join(used.title for used in sale.coupons))] if sale.coupons else []
    if sale.principal or sale.gift:
        parts.append(say("sale_balance", amount=yuan(sale.principal + sale.gift)))
    if sale.points:
        parts.append(say("sale_points", points=f"{sale.points:,}"))
    if sale.pending:
        parts.append(say("sale_pending", points=f"{sale.pending:,}"))
    rules, own = call.service.config.rules, [gift for gift in sale.gifts if gift.member == sale.member]
    parts += [say("sale_gift", title=gift.title, gift=gifts.words(say, gift, rules)) for gift in own]
    facts = {"store": store_name(call, connection, order.store), "total": yuan(order.total), "details": "".join(parts)}
    call.tell(connection, sale.member, "notice_sale", f"{sale.order}", facts)
    given(call, connection, [gift for gift in sale.gifts if gift.member != sale.member])
    if sale.tier is not None:
        app = call.service.config.wechat.app_id
        call.told(tiers.tell_change(connection, say, app=app, change=sale.tier, now=now) > 0)


def refunded(call: Call, connection: Connection, done: Refunded) -> None:
    """Tell of a refund and what went back with it."""
    if not done.created or done.member is None:
        return
    say, to_balance = call.service.copy.text, done.principal_back + done.gift_back
    parts = [say("refund_balance", amount=yuan(to_balance))] if to_balance else []
    if done.points_taken:
        parts.append(say("refund_points", points=f"{done.points_taken:,}"))
    back = [title for title, state in done.coupons_back if state == "issued"]
    if back:
        parts.append(say("refund_coupons", titles="、".join(back)))
    facts = {"order": done.order_no, "amount": yuan(done.amount), "details": "".join(parts)}
    key = f"{done.order}:{done.refund or 'all'}"
    call.tell(connection, done.member, "notice_refund", key, facts)
    for member, points, title in done.friends_taken:
        facts = {"gift": gifts.lost(say, points, title)}
        call.tell(connection, member, "notice_friend_refund", key, facts)


def redeemed(call: Call, connection: Connection, done: Redeemed, store: str | None) -> None:
    """Tell of a coupon that was used up."""
    facts = {"title": done.title, "store": store_name(call, connection, store)}
    call.tell(connection, done.member, "notice_redeemed", f"{done.id}:{call.now.isoformat()}", facts)


def reversed_back(call: Call, connection: Connection, copy: Copy, *, valid: bool) -> None:
    """Tell of a redemption taken back, and whether the coupon can be used again."""
    facts = {"title": copy.title, "back": call.service.copy.text("reversed_back") if valid else ""}
    call.tell(connection, copy.member, "notice_reversed", f"{copy.id}:{call.now.isoformat()}", facts)


def perk_used(call: Call, connection: Connection, member: int, perk: Perk, store: str | None) -> None:
    """Tell of a perk that was used, and how often it is left this month."""
    say = call.service.copy.text
    left = "" if perk.left is None else say("perk_rest", left=perk.left)
    facts = {"store": store_name(call, connection, store), "perk": perk.name, "left": left}
    call.tell(connection, member, "notice_perk", f"{call.by.name}:{call.key}:{call.now.isoformat()}", facts)


def plan_bought(call: Call, connection: Connection, member: int, done: Bought, store: str | None) -> None:
    """Tell of a plan that was bought, and through which day it is good."""
    until = call.service.copy.day(done.until - timedelta(seconds=1))
    facts = {
        "store": store_name(call, connection, store), "plan": done.plan, "amount": yuan(done.price), "until": until,
    }  # fmt: skip
    call.tell(connection, member, "notice_plan", str(done.id), facts)


def given(call: Call, connection: Connection, found: Sequence[GiftDone]) -> None:
    """Tell of gifts, each to whom it was given."""
    service = call.service
    app, say, rules = service.config.wechat.app_id, service.copy.text, service.config.rules
    call.told(gifts.tell(connection, say, found, app=app, rules=rules, now=call.now) > 0)


def store_name(call: Call, connection: Connection, store: str | None) -> str:
    """Return a store as members call it."""
    return shops.name_of(connection, store) or call.service.copy.text("some_store")
