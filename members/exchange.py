"""What points become: a reward coupon, what a partner keeps, and every period, by themselves, a voucher."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, String, bindparam, cast, exists, func, literal_column, select

from members import audit, coupons, ledger, points
from members.audit import Actor
from members.clock import add_months
from members.coupons import Issued, voucher_rule
from members.errors import MemberError
from members.identity import lock
from members.ledger import Booking, Leg, accounts, entries, lots, members, movements
from members.points import SYSTEM
from members.rules import VOUCHER, PartnerRule, RewardRule, Rules, Span, VoucherRule

FIRST_PERIOD = date(2000, 1, 1)

_UNITS = (
    select(entries.c.amount)
    .select_from(entries.join(accounts, entries.c.account_id == accounts.c.id))
    .where(
        entries.c.movement_id == bindparam("movement"), accounts.c.kind == bindparam("account_kind"),
        accounts.c.member_id.is_not(None),
    )
)  # fmt: skip
_OWNED = func.sum(lots.c.remaining)
_ENOUGH = (
    select(lots.c.member_id)
    .select_from(lots.join(members, lots.c.member_id == members.c.id))
    .where(
        lots.c.account == "points", lots.c.remaining > literal_column("0"), lots.c.expires_at > bindparam("moment"),
        members.c.state == "active",
        ~exists().where(movements.c.key == bindparam("prefix", type_=String()) + cast(lots.c.member_id, String)),
    )
    .group_by(lots.c.member_id)
    .having(bindparam("least") <= _OWNED)
    .order_by(lots.c.member_id)
    .limit(bindparam("many"))
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What went to a partner and what became of it there."""

    movement: int
    points: int
    units: int


class Voucher(NamedTuple):
    """Points of a member that became a voucher worth `fen`."""

    member: int
    points: int
    fen: int
    coupon: Issued


def reward(
    connection: Connection, rules: Rules, member: int, reward: RewardRule, *, key: str, by: Actor, now: datetime
) -> Issued:
    """Turn points into the reward's coupon, once per key; MemberError('insufficient') or what refuses the coupon."""
    rule, shop = rules.coupons[reward.coupon], rules.shop
    points.spend(connection, member, reward.points, key=key, by=by, reason=f"兑换「{rule.title}」", now=now)
    issued = coupons.issue(
        connection, reward.coupon, rule, member, key=key, by=by, reason="积分兑换", zone=shop.zone, now=now,
        day_start=shop.day_start,
    )  # fmt: skip
    _tell_audit(connection, by, member, reward.coupon, reward.points, issued, now)
    return issued


def _tell_audit(
    connection: Connection, by: Actor, member: int, template: str, given: int, issued: Issued, now: datetime
) -> None:
    if issued.created:
        detail = {"coupon": issued.id, "template": template, "points": given}
        audit.write(connection, by, "coupon.issue", member, detail, now=now)


def least(rule: PartnerRule) -> int:
    """Return the fewest points that can be exchanged: a whole multiple of the rate, `at_least` or more."""
    return max(-(-rule.at_least // rule.points), 1) * rule.points


def partner(
    connection: Connection, rules: Rules, member: int, name: str, many: int, *, key: str, by: Actor, now: datetime
) -> Exchanged:
    """Turn points into a partner's units, once per key: the whole multiples of the rate within `many`.

    MemberError('partner_unknown'), ('partner_least') or ('insufficient').
    """
    points.check(many)
    rule = rules.loyalty.partners.get(name)
    if rule is None:
        raise MemberError("partner_unknown")
    if many < least(rule):
        raise MemberError("partner_least", title=rule.title, least=least(rule), unit=rule.points)
    lock(connection, member)
    times, wallet = many // rule.points, f"wallet:{name}"
    given, units = times * rule.points, times * rule.units
    legs = (
        Leg("points", -given, member), Leg(f"partner:{name}", given),
        Leg(wallet, units, member), Leg(wallet, -units),
    )  # fmt: skip
    before = ledger.balances(connection, member)["points"]
    booked = ledger.post(
        connection, Booking(key, "exchange", by.name, now, legs, f"兑换{rule.title}", store_id=by.store)
    )
    if booked.created:
        detail = {"movement": booked.id, "partner": name, "points": given, "units": units}
        audit.write(
            connection, by, "points.exchange", member, detail, now=now, before={"points": before},
            after={"points": before - given},
        )  # fmt: skip
    return _stored(connection, booked.id, rule, wallet)


def _stored(connection: Connection, movement: int, rule: PartnerRule, wallet: str) -> Exchanged:
    units = int(connection.execute(_UNITS, {"movement": movement, "account_kind": wallet}).scalar_one())
    gone = -int(connection.execute(_UNITS, {"movement": movement, "account_kind": "points"}).scalar_one())
    return Exchanged(movement, gone, units)


def period_of(every: Span, day: date) -> date:
    """Return the first day of the period a business date lies in; periods are counted from 2000-01-01."""
    if every.unit == "month":
        months = (day.year - FIRST_PERIOD.year) * 12 + day.month - 1
        return add_months(FIRST_PERIOD, months // every.count * every.count)
    days = max(every.delta().days, 1)
    return FIRST_PERIOD + timedelta(days=(day - FIRST_PERIOD).days // days * days)


def vouchers(connection: Connection, rules: Rules, period: str, now: datetime, *, limit: int = 500) -> list[Voucher]:
    """Turn the points of up to `limit` members into vouchers, each once per period; empty when all is done.

    Whole multiples of the rate, from `at_least` points on; what is left over stays points.
    """
    rule = rules.loyalty.points_to_voucher
    if rule is None:
        return []
    prefix, least = f"voucher:{period}:", max(rule.rate.points, rule.at_least)
    bound = {"moment": now, "prefix": prefix, "least": least, "many": limit}
    due = connection.scalars(_ENOUGH, bound).all()
    made = (_voucher(connection, rules, rule, member, f"{prefix}{member}", least, now) for member in due)
    return [voucher for voucher in made if voucher is not None]


def _voucher(
    connection: Connection, rules: Rules, rule: VoucherRule, member: int, key: str, least: int, now: datetime
) -> Voucher | None:
    lock(connection, member)
    owned, _ = ledger.good_points(connection, member, now)
    if owned < least or ledger.find(connection, key) is not None:
        return None
    times = owned // rule.rate.points
    given, fen, shop = times * rule.rate.points, times * rule.rate.fen, rules.shop
    points.spend(
        connection, member, given, key=key, by=SYSTEM, reason="积分换券", now=now, kind="voucher", to="voucher"
    )
    coupon = coupons.issue(
        connection, VOUCHER, voucher_rule(rule), member, key=key, by=SYSTEM, reason="积分换券", zone=shop.zone, now=now,
        face=fen, day_start=shop.day_start,
    )  # fmt: skip
    _tell_audit(connection, SYSTEM, member, VOUCHER, given, coupon, now)
    return Voucher(member, given, fen, coupon)
