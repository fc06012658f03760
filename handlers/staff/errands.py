"""What moves value at the counter: the echo before 确认, the deed after it, and what the member is told."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from handlers import notices
from handlers.context import Context, Reply
from handlers.inbound import Inbound
from handlers.staff import counter, wording
from handlers.staff.counter import Draft, Finish
from handlers.understanding import Understood
from members import approvals, deeds, gifts, outbox, serving, tiers, undoing
from members.approvals import Request
from members.deeds import Wanted
from members.errors import MemberError
from members.notices import SECURITY, tell_openid
from members.serving import Desk, Errand, Served
from members.undoing import Undone

ORDER_NO_BYTES = 3
LAPSED_KEPT = timedelta(days=1)


def _errand(ctx: Context, draft: Draft) -> Errand:
    """Return the errand of a draft whose slots are all there."""
    slots, kind = draft.slots, draft.intent.removeprefix("staff_")
    params: dict[str, Any] = {}
    if kind == "issue":
        reason = ctx.copy.text("reason_staff_issue", name=ctx.staff.name)
        params = {"template": slots["template"], "count": int(slots.get("count", "1")), "reason": reason}
    elif kind == "redeem":
        params = {"coupon": int(slots["coupon"])}
    elif kind == "sale":
        params = {"amount": _amount(slots), "order_no": _new_number(ctx, "C"), "pay": slots.get("pay", "")}
    elif kind == "refund":
        amount = None if slots["amount"] == "all" else _amount(slots)
        params = {"order": int(slots["order"]), "amount": amount, "refund_no": _new_number(ctx, "R")}
    elif kind == "topup":
        params = {"amount": _amount(slots)}
    elif kind == "cash_out":
        params = {"amount": None if slots["amount"] == "all" else _amount(slots)}
    elif kind == "perk":
        params = {"perk": slots["perk"]}
    elif kind == "plan":
        sold = ctx.rules.loyalty.plan(slots["plan"])
        params = {"plan": slots["plan"], "price": sold.price * 100 if sold else 0}
    else:
        reason = slots.get("reason") or ctx.copy.text("reason_staff_points", name=ctx.staff.name)
        params = {"points": int(slots["points"]), "reason": reason}
    return Errand(kind, draft.member, params)


def _amount(slots: Mapping[str, str]) -> int:
    if slots["amount"] == "all":
        raise MemberError("amount_shape")
    return int(slots["amount"])


def _new_number(ctx: Context, letter: str) -> str:
    """Return a number for a chat sale or refund, short enough to be read aloud: C260302-9F3A21."""
    local = ctx.now.astimezone(ctx.rules.shop.zone)
    return f"{letter}{local:%y%m%d}-{secrets.token_hex(ORDER_NO_BYTES).upper()}"


def echo(ctx: Context, draft: Draft) -> Reply:
    """Rehearse a draft, say what it would do, and wait for 确认."""
    errand, desk = _errand(ctx, draft), counter.desk_of(ctx)
    served = serving.rehearse(desk, errand)
    after = "staff_needs_eyes" if deeds.needs_approval(ctx.rules, desk.staff, served.wanted) else ""
    data = {
        "do": "errand", "kind": errand.kind, "member": served.member, "params": dict(errand.params),
        "amount": served.deed.amount, "count": served.deed.count,
    }  # fmt: skip
    return counter.confirm(ctx, wording.echo(ctx, errand, served), data, after=ctx.copy.text(after) if after else "")


def carry_out(ctx: Context, data: Mapping[str, Any]) -> Reply:
    """Do what was confirmed, or put it before a manager."""
    desk = counter.desk_of(ctx)
    errand = Errand(str(data["kind"]), int(data["member"]), dict(data["params"]))
    wanted = Wanted(errand.kind, errand.member, int(data["amount"]), int(data["count"]))
    if deeds.needs_approval(ctx.rules, desk.staff, wanted):
        return _put_before_manager(ctx, desk, errand, wanted, str(data["key"]))
    served = serving.serve(desk, errand, key=str(data["key"]))
    tell_member(ctx, served)
    return Reply(wording.done(ctx, served))


def tell_member(ctx: Context, served: Served) -> None:
    """Tell the member what was just done with what is theirs, and what gifts and tier it brought."""
    key, facts = wording.notice(ctx, served)
    notices.tell(ctx, served.member, key, facts)
    say, tier = ctx.copy.text, getattr(served.result, "tier", None)
    others = [gift for gift in getattr(served.result, "gifts", ()) if gift.member != served.member]
    gifts.tell(ctx.connection, say, others, app=ctx.app, rules=ctx.rules, now=ctx.now, except_openid=ctx.openid)
    for member, points, title in getattr(served.result, "friends_taken", ()):
        notices.tell(ctx, member, "notice_friend_refund", {"gift": gifts.lost(say, points, title)})
    if tier is not None:
        tiers.tell_change(ctx.connection, say, app=ctx.app, change=tier, now=ctx.now, except_openid=ctx.openid)


def _put_before_manager(ctx: Context, desk: Desk, errand: Errand, wanted: Wanted, key: str) -> Reply:
    asked, managers = approvals.ask(
        ctx.connection, ctx.rules, errand, wanted, staff=desk.staff, key=key, by=desk.by, now=ctx.now
    )
    what = wording.what(ctx, errand.kind, wanted.amount, wanted.count, wanted.member, errand.params)
    facts = {"number": asked.id, "name": desk.staff.name, "what": what, "until": asked.expires_at}
    for one in managers:
        if one.openid is not None:
            tell_openid(
                ctx.connection, ctx.copy.text, openid=one.openid, text="notice_approval", key=str(asked.id),
                facts=facts, now=ctx.now,
            )  # fmt: skip
    _tell_when_lapsed(ctx, asked, what)
    ctx.wake.append("notice")
    names = ctx.copy.text("and_list").join(one.name for one in managers)
    return Reply(ctx.copy.text("approval_asked", number=asked.id, names=names, until=asked.expires_at))


def lapsing_key(approval: int) -> str:
    """Return the key of the notice that tells the asker that nobody decided in time."""
    return f"notice_lapsed:{approval}"


def _tell_when_lapsed(ctx: Context, asked: Request, what: str) -> None:
    """Leave a notice for the moment the request runs out; a decision withdraws it."""
    words = ctx.copy.text("notice_lapsed", number=asked.id, what=what)
    outbox.put(
        ctx.connection,
        outbox.Message(
            key=lapsing_key(asked.id), kind="notice", topic="notice_lapsed", openid=ctx.openid, channels=SECURITY,
            content={"text": words}, reason=ctx.copy.text("reason_notice_lapsed"), not_before=asked.expires_at,
            expires_at=asked.expires_at + LAPSED_KEPT,
        ),
        now=ctx.now,
    )  # fmt: skip


def undo(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Say what 撤销 would take back, and wait for 确认."""
    number = int(said.slots["number"]) if "number" in said.slots else None
    undone = undoing.rehearse(counter.desk_of(ctx), number, said.slots.get("kind", ""))
    words = ctx.copy.text("echo_undo", number=undone.deed.id, what=_undone_what(ctx, undone), time=undone.deed.at)
    return counter.confirm(ctx, words, {"do": "undo", "number": undone.deed.id})


def take_back(ctx: Context, data: Mapping[str, Any]) -> Reply:
    """Undo what was confirmed; the member is told."""
    undone = undoing.undo(counter.desk_of(ctx), int(data["number"]))
    what = _undone_what(ctx, undone)
    if undone.deed.member is not None:
        told = {"store": wording.store(ctx, undone.deed.store), "what": wording.plain(ctx, undone.deed)}
        notices.tell(ctx, undone.deed.member, "notice_undone", told)
    key = "staff_undone_expired" if undone.state == "expired" else "staff_undone"
    return Reply(ctx.copy.text(key, number=undone.deed.id, what=what))


def _undone_what(ctx: Context, undone: Undone) -> str:
    deed = undone.deed
    return wording.what(ctx, deed.kind, deed.amount, deed.count, deed.member, deed.detail)


def _echo_issue(ctx: Context, draft: Draft) -> Reply:
    many, most = int(draft.slots.get("count", "1")), ctx.rules.staff.coupons_at_once
    if not 1 <= many <= most:
        raise MemberError("staff_at_once", most=most)
    return echo(ctx, draft)


COMMANDS: Mapping[str, tuple[tuple[str, ...], Finish]] = {
    "staff_issue": (("member", "template"), _echo_issue),
    "staff_redeem": (("coupon",), echo),
    "staff_sale": (("member", "amount"), echo),
    "staff_refund": (("buyer", "order", "amount"), echo),
    "staff_topup": (("member", "amount"), echo),
    "staff_cash_out": (("member", "amount"), echo),
    "staff_points": (("member", "points"), echo),
    "staff_perk": (("perks_on", "member", "perk"), echo),
    "staff_plan": (("plans_on", "member", "plan"), echo),
}
