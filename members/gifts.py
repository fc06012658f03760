"""The moments gifts are given at: presenting the card, a purchase, a cumulated total, a birthday, a referral.

Each exactly once per occasion. A cumulated total counts anew after each gift: what was bought after the order that
brought the last one. What a refund leaves without its reason is taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, extract, func, or_, select

from members import granting, identity
from members.audit import Actor
from members.checkin import CheckedIn, check_in
from members.clock import business_date
from members.earning import EarnLine, birthday_in, matched
from members.granting import GiftDone, Occasion, TakenBack, copies, grants, lost, rule_name, tell, words
from members.money import yuan
from members.referring import referral
from members.rules import PresentGift, Rules, TotalGift
from members.standing import span_words, window_start
from members.tables import Member, Order, table

__all__ = [
    "CheckedIn",
    "GiftDone",
    "OrderFacts",
    "TakenBack",
    "birthday",
    "check_in",
    "lost",
    "on_present",
    "on_purchase",
    "on_total",
    "referral",
    "take_back",
    "tell",
    "words",
]

JOB = Actor("system", origin="job")
EVERY = 2**63 - 1
BIRTHDAYS_APART = timedelta(days=300)
OF_FRIENDS = ("referral", "invited", "inviting")
_orders, _members = table(Order), table(Member)
_OTHERS = select(_orders.c.id).where(_orders.c.member_id == bindparam("member"), _orders.c.id != bindparam("which"))
_COUNTING = or_(copies.c.id.is_(None), copies.c.state != "void") & (grants.c.taken_back == 0)
_OF_RULE = (
    select(grants.c.key, grants.c.order_id, grants.c.at)
    .select_from(
        grants.join(_orders, grants.c.order_id == _orders.c.id).outerjoin(copies, grants.c.coupon_id == copies.c.id)
    )
    .where(grants.c.rule == bindparam("which"), _orders.c.member_id == bindparam("member"))
)
_LAST = _OF_RULE.where(_COUNTING, grants.c.order_id <= bindparam("upto")).order_by(grants.c.order_id.desc()).limit(1)
_NEXT = _OF_RULE.where(_COUNTING, grants.c.order_id >= bindparam("upto")).order_by(grants.c.order_id).limit(1)
_SUM = select(func.coalesce(func.sum(_orders.c.total - _orders.c.refunded), 0)).where(
    _orders.c.member_id == bindparam("member"), _orders.c.id > bindparam("after"), _orders.c.id <= bindparam("upto"),
    _orders.c.day > bindparam("since"), _orders.c.day <= bindparam("until"),
)  # fmt: skip
_OF_ORDER = select(grants.c.key, grants.c.rule).where(grants.c.order_id == bindparam("which")).order_by(grants.c.key)


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What gifts need of an order in the books; `total` in 分, `brand` is the store's."""

    id: int
    total: int
    lines: Sequence[EarnLine] = ()
    store: str = ""
    brand: str = ""


def on_present(
    connection: Connection, rules: Rules, member: int, *, by: Actor, now: datetime, store: str | None = None
) -> list[GiftDone]:
    """Give what presenting the card brings, once per day, week, month or ever."""
    day, done = _day(rules, now), list[GiftDone]()
    for gift in rules.loyalty.gifts.on_present:
        if not gift.stores or (store or by.store) in gift.stores:
            occasion = Occasion("present", _period(gift, day), "到店赠")
            done += _given(granting.give(connection, rules, member, gift, occasion, by=by, now=now))
    return done


def on_purchase(
    connection: Connection, rules: Rules, member: int, order: OrderFacts, *, by: Actor, now: datetime
) -> list[GiftDone]:
    """Give what this order brings, each rule once per order, those for the first order once per member."""
    done = list[GiftDone]()
    for gift in rules.loyalty.gifts.on_purchase:
        amount = matched(
            order.total, order.lines, order.brand, category=gift.category, brands=gift.brands, products=gift.products
        )
        if amount <= 0 or amount < gift.over * 100 or (gift.stores and order.store not in gift.stores):
            continue
        if gift.first and connection.execute(_OTHERS.limit(1), {"member": member, "which": order.id}).first():
            continue
        title = "首次消费赠" if gift.first else f"消费满{gift.over}元赠" if gift.over else "消费赠"
        occasion = Occasion("purchase", "first" if gift.first else str(order.id), title, order.id)
        done += _given(granting.give(connection, rules, member, gift, occasion, by=by, now=now))
    return done


def on_total(
    connection: Connection, rules: Rules, member: int, order: OrderFacts, *, by: Actor, now: datetime
) -> list[GiftDone]:
    """Give what this and earlier orders together bring; the member is held, so that no two orders bring one total."""
    done, day = list[GiftDone](), _day(rules, now)
    if rules.loyalty.gifts.on_total:
        identity.lock(connection, member)
    for gift in rules.loyalty.gifts.on_total:
        of_rule = {"which": rule_name("total", gift.name), "member": member}
        if gift.times is not None and len(connection.execute(_OF_RULE, of_rule).all()) >= gift.times:
            continue
        last = connection.execute(_LAST, of_rule | {"upto": EVERY}).one_or_none()
        if _spent(connection, member, gift, 0 if last is None else last.order_id, order.id, day) < gift.spend * 100:
            continue
        occasion = Occasion("total", str(order.id), _total_title(gift), order.id)
        done += _given(granting.give(connection, rules, member, gift, occasion, by=by, now=now))
    return done


def birthday(
    connection: Connection, rules: Rules, now: datetime, *, after: int = 0, limit: int = 200
) -> tuple[list[GiftDone], int | None]:
    """Give the next `limit` members their birthday gift, once a year; return the gifts and the member to go on after.

    From `days_ahead` before the birthday through the day itself, so that a day without the job loses nobody's. Who
    changes their birthday gets no second one within ten months.
    """
    today, done = _day(rules, now), list[GiftDone]()
    ahead = max((gift.days_ahead for gift in rules.loyalty.gifts.birthday), default=-1)
    days = [today + timedelta(days=number) for number in range(ahead + 1)]
    found = connection.execute(_born_on(days, after, limit)).all() if days else []
    for member, born in found:
        for gift in rules.loyalty.gifts.birthday:
            near = [day for day in days[: gift.days_ahead + 1] if birthday_in(born, day.year) == day]
            if near and not _lately(connection, member, rule_name("birthday", gift.name), now):
                occasion = Occasion("birthday", str(near[0].year), "生日礼")
                done += _given(granting.give(connection, rules, member, gift, occasion, by=JOB, now=now))
    return done, found[-1].id if found else None


def take_back(connection: Connection, rules: Rules, order: int, *, by: Actor, now: datetime) -> list[TakenBack]:
    """Take back the gifts that have lost their reason by what was refunded of an order; call it after every refund.

    A gift of this order goes when all of it was refunded, or when what is left is below the gift's `over`; a cumulated
    total's gift when its orders no longer come to it. Coupons that were used are the member's. Gifts for a friend who
    was brought stand on all their orders: members/referrals.py takes those back.
    """
    row = connection.execute(select(_orders).where(_orders.c.id == order)).one()
    keys = [
        key
        for key, rule in connection.execute(_OF_ORDER, {"which": order})
        if rule.partition(":")[0] not in OF_FRIENDS
        and (row.state == "refunded" or row.total - row.refunded < _least(rules, rule))
    ]
    keys += [] if row.member_id is None else _totals_missed(connection, rules, row.member_id, order)
    done = (granting.take_back(connection, rules, key, by=by, now=now) for key in dict.fromkeys(keys))
    return [back for back in done if back is not None]


def _least(rules: Rules, rule: str) -> int:
    """Return what an order must come to for the purchase gift of this name, in 分; 0 when the rule asks for nothing."""
    named = {rule_name("purchase", gift.name): gift.over * 100 for gift in rules.loyalty.gifts.on_purchase}
    return named.get(rule, 0)


def _totals_missed(connection: Connection, rules: Rules, member: int, order: int) -> list[str]:
    """Return the gifts of cumulated totals that this order was part of and that its refund has undone."""
    found = []
    for gift in rules.loyalty.gifts.on_total:
        of_rule = {"which": rule_name("total", gift.name), "member": member}
        given = connection.execute(_NEXT, of_rule | {"upto": order}).one_or_none()
        if given is None:
            continue
        last = connection.execute(_LAST, of_rule | {"upto": given.order_id - 1}).one_or_none()
        after = 0 if last is None else last.order_id
        if _spent(connection, member, gift, after, given.order_id, _day(rules, given.at)) < gift.spend * 100:
            found.append(str(given.key))
    return found


def _spent(connection: Connection, member: int, gift: TotalGift, after: int, upto: int, day: date) -> int:
    """Return 分 of the orders numbered after `after` through `upto`, within the rolling time that ends with `day`."""
    since = window_start(gift.within, day)
    bound = {"member": member, "after": after, "upto": upto, "since": since, "until": day}
    return int(connection.execute(_SUM, bound).scalar_one())


def _total_title(gift: TotalGift) -> str:
    return f"{span_words(gift.within)}内累计消费满{yuan(gift.spend * 100).removesuffix('.00')}赠"


def _period(gift: PresentGift, day: date) -> str:
    if gift.once_per == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02d}"
    return {"day": day.isoformat(), "month": f"{day:%Y-%m}", "ever": "ever"}[gift.once_per]


def _born_on(days: Sequence[date], after: int, limit: int) -> Any:
    """Return the query for active members with a birthday on one of these days, 29 February counting on the 28th."""
    dates = {(day.month, day.day) for day in days}
    dates |= {
        (2, 29) for day in days if (day.month, day.day) == (2, 28) and birthday_in(date(2000, 2, 29), day.year) == day
    }
    born = _members.c.birthday
    on: list[ColumnElement[bool]] = [
        (extract("month", born) == month) & (extract("day", born) == day) for month, day in sorted(dates)
    ]
    return (
        select(_members.c.id, born)
        .where(_members.c.id > after, _members.c.state == "active", or_(*on))
        .order_by(_members.c.id)
        .limit(limit)
    )


def _lately(connection: Connection, member: int, rule: str, now: datetime) -> bool:
    given = select(grants.c.key).where(
        grants.c.member_id == member, grants.c.rule == rule, grants.c.at > now - BIRTHDAYS_APART
    )
    return connection.execute(given.limit(1)).first() is not None


def _given(gift: GiftDone | None) -> list[GiftDone]:
    return [] if gift is None else [gift]


def _day(rules: Rules, moment: datetime) -> date:
    return business_date(moment, rules.shop.zone, rules.shop.day_start)
