"""What staff do for a member at the counter, each deed one function: done, counted, recorded and audited together.

`rehearse` does the same in a savepoint that is rolled back: the figures that are echoed for 确认 are those of the deed
itself, and what would be refused is refused before anybody confirms.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from members import audit, balance, coupons, deeds, orders, perks, plans, points, receipts, refunds, staffing, tiers
from members.audit import Actor
from members.deeds import Deed, Wanted
from members.errors import MemberError
from members.rules import Rules
from members.staffing import Server
from members.vault import Vault

KINDS = ("issue", "redeem", "sale", "refund", "topup", "cash_out", "points", "perk", "plan")


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be done for whom; `params` is what can be stored as JSON: ids, figures, codes, no personal data."""

    kind: str
    member: int | None
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where and for whom an errand is run: the books, the rules, the person of staff, and who approved it."""

    connection: Connection
    vault: Vault
    rules: Rules
    app: str
    staff: Server
    now: datetime
    origin: str = ""
    approved_by: str = ""

    @property
    def by(self) -> Actor:
        """Return who acts, for books and trail."""
        return Actor(f"staff:{self.staff.id}", self.staff.store, self.origin, self.approved_by)

    @property
    def everywhere(self) -> bool:
        """Tell whether this person serves the customers of all stores."""
        return self.staff.role == "head_office" and self.staff.store is None


@dataclass(frozen=True, slots=True)
class Served:
    """A deed that was done, whose it was, and what the books answered: Taken, Refunded, TopUp, coupons …"""

    deed: Deed
    member: int
    result: Any

    @property
    def wanted(self) -> Wanted:
        """Return what the deed came to."""
        return Wanted(self.deed.kind, self.member, self.deed.amount, self.deed.count)


@dataclass(frozen=True, slots=True)
class _Done:
    """What one of the functions below has moved."""

    member: int
    result: Any
    detail: Mapping[str, Any]
    amount: int = 0
    count: int = 1


def serve(desk: Desk, errand: Errand, *, key: str) -> Served:
    """Run an errand once per key; MemberError says which rule, limit or book refuses.

    Nobody serves themselves, and what needs a second pair of eyes is refused without one ('needs_approval').
    """
    connection, rules = desk.connection, desk.rules
    if deeds.by_key(connection, key) is not None:
        raise MemberError("deed_done")
    _not_oneself(desk, errand.member)
    done = _DO[errand.kind](desk, errand, key)
    if done.member != errand.member:
        _not_oneself(desk, done.member)
    wanted = Wanted(errand.kind, done.member, done.amount, done.count)
    deeds.check(rules, desk.staff, wanted)
    if not desk.approved_by and deeds.needs_approval(rules, desk.staff, wanted):
        raise MemberError("needs_approval")
    counted = deeds.count(connection, rules, desk.staff, wanted, now=desk.now)
    deed = deeds.record(
        connection, rules, desk.staff, wanted, key=key, detail=done.detail, counted=counted,
        approved_by=desk.approved_by, now=desk.now,
    )  # fmt: skip
    return Served(deed, done.member, done.result)


def rehearse(desk: Desk, errand: Errand) -> Served:
    """Return what an errand would do, leaving no trace of it; the same refusals, but for the missing approval."""
    trial = desk.connection.begin_nested()
    try:
        approved = Desk(
            desk.connection, desk.vault, desk.rules, desk.app, desk.staff, desk.now, desk.origin, "rehearsal"
        )
        return serve(approved, errand, key=f"rehearsal:{desk.staff.id}:{desk.now.isoformat()}")
    finally:
        trial.rollback()


def _not_oneself(desk: Desk, member: int | None) -> None:
    if member is not None and staffing.is_self(desk.connection, desk.staff, member):
        raise MemberError("staff_self")


def _issue(desk: Desk, errand: Errand, key: str) -> _Done:
    member, code, many = _member(errand), str(errand.params["template"]), int(errand.params.get("count", 1))
    if not 1 <= many <= desk.rules.staff.coupons_at_once:
        raise MemberError("staff_at_once", most=desk.rules.staff.coupons_at_once)
    rule, shop = desk.rules.coupons.get(code), desk.rules.shop
    if rule is None:
        raise MemberError("template_gone")
    made = [
        coupons.issue(
            desk.connection, code, rule, member, key=f"{key}:{number}", by=desk.by,
            reason=str(errand.params.get("reason", "")), zone=shop.zone, day_start=shop.day_start, now=desk.now,
        )
        for number in range(many)
    ]  # fmt: skip
    for one in made:
        detail = {"coupon": one.id, "template": code}
        audit.write(desk.connection, desk.by, "coupon.issue", member, detail, now=desk.now)
    return _Done(member, made, {"template": code, "coupons": [one.id for one in made]}, count=many)


def _redeem(desk: Desk, errand: Errand, key: str) -> _Done:
    copy = coupons.by_id(desk.connection, int(errand.params["coupon"]))
    if errand.member not in (None, copy.member):  # given to a friend since it was shown
        raise MemberError("coupon_unknown")
    done = coupons.redeem(desk.connection, copy.code, by=desk.by, store=desk.staff.store, now=desk.now)
    audit.write(desk.connection, desk.by, "coupon.redeem", done.member, {"coupon": done.id}, now=desk.now)
    return _Done(done.member, done, {"coupon": done.id})


def _sale(desk: Desk, errand: Errand, key: str) -> _Done:
    member, amount = _member(errand), int(errand.params["amount"])
    order = orders.NewOrder(
        order_no=str(errand.params["order_no"]), scope=desk.staff.store or "", store=desk.staff.store,
        buyer=orders.Buyer("member", str(member)), at=desk.now, lines=(), total=amount,
        pay_balance=amount if errand.params.get("pay") == "balance" else 0, source="chat",
    )  # fmt: skip
    taken = orders.take(desk.connection, desk.vault, desk.rules, order, app=desk.app, by=desk.by, now=desk.now)
    return _Done(taken.member or member, taken, {"order": taken.order}, amount)


def _refund(desk: Desk, errand: Errand, key: str) -> _Done:
    sold = receipts.find(desk.connection, int(errand.params["order"]))
    if sold is None or sold.member is None or not (desk.everywhere or sold.store == desk.staff.store):
        raise MemberError("refund_no_order")
    wanted = errand.params.get("amount")
    refund = refunds.NewRefund(
        scope=sold.scope, order_no=sold.order_no, refund_no=str(errand.params["refund_no"]),
        amount=None if wanted is None else int(wanted), lines=(), at=desk.now,
    )  # fmt: skip
    back = refunds.refund(desk.connection, desk.vault, desk.rules, refund, by=desk.by, now=desk.now)
    return _Done(back.member or sold.member, back, {"order": sold.id, "refund": back.refund}, back.amount)


def _topup(desk: Desk, errand: Errand, key: str) -> _Done:
    member, amount = _member(errand), int(errand.params["amount"])
    done = balance.top_up(desk.connection, desk.rules, member, amount, key=key, by=desk.by, now=desk.now)
    return _Done(member, done, {"movement": done.movement}, amount)


def _cash_out(desk: Desk, errand: Errand, key: str) -> _Done:
    member, wanted = _member(errand), errand.params.get("amount")
    amount = None if wanted is None else int(wanted)
    done = balance.cash_out(desk.connection, member, amount, key=key, by=desk.by, now=desk.now)
    return _Done(member, done, {"movement": done.movement}, done.principal)


def _points(desk: Desk, errand: Errand, key: str) -> _Done:
    member, delta = _member(errand), int(errand.params["points"])
    reason = str(errand.params.get("reason", ""))
    movement = points.adjust(
        desk.connection, desk.rules, member, delta, key=key, by=desk.by, reason=reason, now=desk.now
    )
    return _Done(member, movement, {"movement": movement}, delta)


def _perk(desk: Desk, errand: Errand, key: str) -> _Done:
    member, name = _member(errand), str(errand.params["perk"])
    done = perks.use(desk.connection, desk.rules, member, name, by=desk.by, now=desk.now)
    return _Done(member, done, {"perk": name, "month": perks.month_of(desk.rules, desk.now).isoformat()})


def _plan(desk: Desk, errand: Errand, key: str) -> _Done:
    """Sell a plan for the price that was echoed; the detail says what of its perks had been used before."""
    member, name = _member(errand), str(errand.params["plan"])
    used = perks.used(desk.connection, desk.rules, member, desk.now)
    tiers.buy(desk.connection, desk.rules, member, name, key=key, by=desk.by, now=desk.now)
    done = plans.bought(desk.connection, key)
    if done.price != errand.params["price"]:
        raise MemberError("plan_changed")
    return _Done(member, done, {"plan": name, "purchase": done.id, "used": used}, done.price)


def _member(errand: Errand) -> int:
    if errand.member is None:
        raise MemberError("staff_no_member")
    return errand.member


_DO: Mapping[str, Callable[[Desk, Errand, str], _Done]] = {
    "issue": _issue, "redeem": _redeem, "sale": _sale, "refund": _refund, "topup": _topup, "points": _points,
    "perk": _perk, "plan": _plan, "cash_out": _cash_out,
}  # fmt: skip
