"""What the shop owes its members, and what of it will probably be asked for, in integers: 分 and points.

The share that will be used is history with a prior: (used + PRIOR × weight) / (used + lapsed + weight), where weight
is worth a thousand points, or ten coupons of a template. Points cost what the dearest way out of them costs.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select

from members.coupons import rule_of
from members.ledger import accounts, entries, movements
from members.money import yuan
from members.rules import Rules
from members.tables import Coupon, CouponTemplate, table

PRIOR, POINTS_WEIGHT, COUPONS_WEIGHT = Fraction(4, 5), 1000, 10
USES = ("spend", "voucher", "exchange")
SHOWN = 10

coupons, templates = table(Coupon), table(CouponTemplate)


@dataclass(frozen=True, slots=True)
class CouponsHeld:
    """The copies of a template that can still be used: how many, at most and probably how dear, in 分."""

    template: str
    title: str
    held: int
    share: int
    at_most: int
    expected: int


@dataclass(frozen=True, slots=True)
class Liability:
    """What members hold, and the expected cost; shares in thousandths, money in 分.

    `point_cost` is what 1,000 points cost. `expected` counts points, balance and coupons together.
    """

    at: datetime
    points: int
    pending: int
    owed: int
    principal: int
    gift: int
    share: int
    point_cost: int
    points_at_most: int
    points_expected: int
    coupons: tuple[CouponsHeld, ...]
    expected: int

    def as_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)


def forecast(connection: Connection, rules: Rules, now: datetime) -> Liability:
    """Return what is outstanding at `now` and what it will probably cost."""
    owned = _outstanding(connection)
    points, pending = owned.get("points", 0), owned.get("pending", 0)
    share, cost = _points_share(connection), _point_cost(connection, rules)
    held = tuple(_coupons(connection, now))
    at_most = (points + pending) * cost
    expected = int(at_most * share)
    balance = owned.get("principal", 0) + owned.get("gift", 0)
    return Liability(
        at=now, points=points, pending=pending, owed=-owned.get("owed", 0), principal=owned.get("principal", 0),
        gift=owned.get("gift", 0), share=round(share * 1000), point_cost=round(cost * 1000),
        points_at_most=int(at_most), points_expected=expected, coupons=held,
        expected=expected + balance + sum(one.expected for one in held),
    )  # fmt: skip


def _outstanding(connection: Connection) -> dict[str, int]:
    rows = connection.execute(
        select(accounts.c.kind, func.sum(accounts.c.balance))
        .where(accounts.c.member_id.is_not(None))
        .group_by(accounts.c.kind)
    )
    return {kind: int(amount) for kind, amount in rows}


def _points_share(connection: Connection) -> Fraction:
    """Return the share of points that is used rather than lapses; what was undone counts for neither."""
    uses = [*USES, *(f"reverse_{kind}" for kind in USES)]
    used = func.sum(case((movements.c.kind.in_(uses), -entries.c.amount), else_=0))
    lapsed = func.sum(case((movements.c.kind == "expire", -entries.c.amount), else_=0))
    row = connection.execute(
        select(func.coalesce(used, 0), func.coalesce(lapsed, 0))
        .select_from(entries.join(movements).join(accounts, entries.c.account_id == accounts.c.id))
        .where(accounts.c.kind == "points", accounts.c.member_id.is_not(None))
    ).one()
    return _share(int(row[0]), int(row[1]), POINTS_WEIGHT)


def _share(used: int, lapsed: int, weight: int) -> Fraction:
    used, lapsed = max(used, 0), max(lapsed, 0)
    return (used + PRIOR * weight) / (used + lapsed + weight)


def _point_cost(connection: Connection, rules: Rules) -> Fraction:
    """Return what a point costs at most in 分: as a voucher, as money, or as the dearest reward."""
    loyalty, ways = rules.loyalty, [Fraction(0)]
    if loyalty.points_to_voucher is not None:
        ways.append(Fraction(loyalty.points_to_voucher.rate.fen, loyalty.points_to_voucher.rate.points))
    if loyalty.earn.back is not None:
        ways.append(Fraction(1))
    for reward in loyalty.reward:
        template = rules.coupons.get(reward.coupon)
        ways.append(Fraction((template.worst_case() or 0) if template else 0, reward.points))
    return max(ways)


def _coupons(connection: Connection, now: datetime) -> list[CouponsHeld]:
    alive = and_(coupons.c.state.in_(("issued", "locked")), coupons.c.expires_at > now)
    lapsed = or_(
        coupons.c.state == "expired", and_(coupons.c.state.in_(("issued", "locked")), coupons.c.expires_at <= now)
    )
    redeemed = coupons.c.state == "redeemed"
    counts = (
        func.sum(case((alive, 1), else_=0)).label("held"),
        func.sum(case((redeemed, 1), else_=0)).label("redeemed"),
        func.sum(case((lapsed, 1), else_=0)).label("lapsed"),
        func.sum(case((redeemed, coupons.c.discount), else_=0)).label("cost"),
        func.sum(case((and_(alive, coupons.c.face.is_not(None)), coupons.c.face), else_=0)).label("faces"),
        func.sum(case((and_(alive, coupons.c.face.is_not(None)), 1), else_=0)).label("faced"),
    )
    of_template = select(coupons.c.template, *counts).group_by(coupons.c.template).subquery()
    rows = connection.execute(
        select(templates.c.title, templates.c.rule, of_template)
        .select_from(of_template.join(templates, templates.c.code == of_template.c.template))
        .where(of_template.c.held > 0)
        .order_by(of_template.c.template)
    )
    return [_held(row) for row in rows]


def _held(row: Any) -> CouponsHeld:
    """Return the forecast of one template: a copy costs what it takes off at most, or what redeemed ones have cost."""
    share = _share(row.redeemed, row.lapsed, COUPONS_WEIGHT)
    worst = rule_of(row.rule or {}).worst_case() or 0
    at_most = int(row.faces) + worst * (row.held - row.faced)
    usual = Fraction(int(row.cost), row.redeemed) * row.held if row.cost else Fraction(at_most)
    expected = int((min(usual, at_most) if at_most else usual) * share)
    return CouponsHeld(row.template, row.title, row.held, round(share * 1000), at_most, expected)


def lines(found: Liability) -> list[str]:
    """Return the forecast as people read it, a line each."""
    said = [
        f"未用积分\t{found.points:,}(另有待生效 {found.pending:,},欠扣 {found.owed:,})",
        f"预计会用\t{_percent(found.share)},每千分最多值 {yuan(found.point_cost)}",
        f"积分成本\t预计 {yuan(found.points_expected)},最多 {yuan(found.points_at_most)}",
        f"储值余额\t本金 {yuan(found.principal)},赠送 {yuan(found.gift)}",
    ]
    dearest = sorted(found.coupons, key=lambda one: (-one.expected, -one.held, one.template))
    for one in dearest[:SHOWN]:
        cost = f"预计 {yuan(one.expected)},最多 {yuan(one.at_most)}" if one.at_most or one.expected else "成本未写"
        said.append(f"券 {one.title}\t{one.held:,} 张,预计会用 {_percent(one.share)},{cost}")
    rest = dearest[SHOWN:]
    if rest:
        many, expected = sum(one.held for one in rest), sum(one.expected for one in rest)
        said.append(f"其余 {len(rest)} 种券\t{many:,} 张,预计 {yuan(expected)}")
    return [*said, f"合计预计\t{yuan(found.expected)}"]


def _percent(thousandths: int) -> str:
    return f"{thousandths // 10}.{thousandths % 10}%"
