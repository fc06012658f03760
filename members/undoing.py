"""撤销: a deed of staff taken back as a whole, within its time, or refused as a whole with the reason why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from members import audit, balance, coupons, deeds, orders, perks, plans, points, receipts, staffing
from members.deeds import Deed
from members.errors import MemberError
from members.serving import Desk

# what the books answer when something that came of the deed has been used already
_SPENT = frozenset(("insufficient", "coupon_not_used", "member_merged", "busy", "perk_unused"))


@dataclass(frozen=True, slots=True)
class Undone:
    """A deed that was taken back; `state` is that of a coupon whose redemption was: issued or expired."""

    deed: Deed
    state: str = ""


def undo(desk: Desk, number: int | None, kind: str = "") -> Undone:
    """Take back the last deed of this person (of a kind), or a numbered one of theirs or of whom they manage; once.

    MemberError: deed_none and deed_none_KIND, deed_unknown, deed_undone, deed_late; undo_refund and undo_refunded where
    money was handed out; undo_spent when the member has used what came of it: nothing is undone in part.
    """
    deed = deeds.undoable(desk.connection, desk.staff, number, kind=kind, now=desk.now)
    if deed.kind not in _UNDO:
        raise MemberError("undo_refund")
    if deed.member is not None and staffing.is_self(desk.connection, desk.staff, deed.member):
        raise MemberError("staff_self")
    deeds.take_back(desk.connection, deed, by=desk.by.name, now=desk.now)
    try:
        state = _UNDO[deed.kind](desk, deed)
    except MemberError as refused:
        if refused.code not in _SPENT:
            raise
        raise MemberError("undo_spent", number=deed.id) from refused
    audit.write(desk.connection, desk.by, f"{deed.kind}.undo", deed.member, {"deed": deed.id}, now=desk.now)
    return Undone(deed, state)


def rehearse(desk: Desk, number: int | None, kind: str = "") -> Undone:
    """Return what `undo` would do, with the same refusals, leaving no trace of it."""
    trial = desk.connection.begin_nested()
    try:
        return undo(desk, number, kind)
    finally:
        trial.rollback()


def _issue(desk: Desk, deed: Deed) -> str:
    for coupon in deed.detail["coupons"]:
        held_by = coupons.by_id(desk.connection, coupon).member
        if held_by != deed.member or not coupons.void(
            desk.connection, coupon, by=desk.by, now=desk.now, give_back=True
        ):
            raise MemberError("undo_spent", number=deed.id)
        audit.write(desk.connection, desk.by, "coupon.void", deed.member, {"coupon": coupon}, now=desk.now)
    return ""


def _redeem(desk: Desk, deed: Deed) -> str:
    coupon = int(deed.detail["coupon"])
    back = coupons.reverse(desk.connection, coupon, by=desk.by, now=desk.now, redeemed_at=deed.at)
    audit.write(desk.connection, desk.by, "coupon.reverse", back.member, {"coupon": back.id}, now=desk.now)
    return back.state


def _sale(desk: Desk, deed: Deed) -> str:
    sold = receipts.find(desk.connection, int(deed.detail["order"]))
    if sold is None or sold.left < sold.total:
        raise MemberError("undo_refunded", number=deed.id)
    orders.void(desk.connection, desk.vault, desk.rules, int(deed.detail["order"]), by=desk.by, now=desk.now)
    return ""


def _topup(desk: Desk, deed: Deed) -> str:
    movement = int(deed.detail["movement"])
    balance.undo(desk.connection, desk.rules, movement, by=desk.by, reason="撤销充值", now=desk.now)
    return ""


def _points(desk: Desk, deed: Deed) -> str:
    movement = int(deed.detail["movement"])
    points.undo(desk.connection, desk.rules, movement, by=desk.by, reason="撤销积分调整", now=desk.now)
    return ""


def _perk(desk: Desk, deed: Deed) -> str:
    month = date.fromisoformat(deed.detail["month"])
    perks.give_back(desk.connection, _of(deed), str(deed.detail["perk"]), month, by=desk.by, now=desk.now)
    return ""


def _plan(desk: Desk, deed: Deed) -> str:
    """End the plan; what it brought must not have been used: neither its perks, nor its multiplier on an order."""
    member, rule = _of(deed), desk.rules.loyalty.plan(str(deed.detail["plan"]))
    plans.end(desk.connection, int(deed.detail["purchase"]), member, by=desk.by, now=desk.now)
    lost = plans.rule_of(desk.connection, desk.rules.loyalty, member, desk.now) != rule
    last = orders.last(desk.connection, member) if lost and rule and rule.earn_multiplier is not None else None
    multiplied = last is not None and last.at >= deed.at
    if multiplied or perks.overdrawn(desk.connection, desk.rules, member, deed.detail["used"], desk.now):
        raise MemberError("undo_spent", number=deed.id)
    return ""


def _of(deed: Deed) -> int:
    if deed.member is None:
        raise MemberError("undo_spent", number=deed.id)
    return deed.member


_UNDO: Mapping[str, Callable[[Desk, Deed], str]] = {
    "issue": _issue, "redeem": _redeem, "sale": _sale, "topup": _topup, "points": _points, "perk": _perk,
    "plan": _plan,
}  # fmt: skip
