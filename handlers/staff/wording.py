"""The words of a deed: before it, after it, to the member. Figures come from the books, texts from the copy."""

from collections.abc import Callable, Mapping
from typing import Any

from handlers.context import Context
from handlers.copy import yuan
from handlers.staff.finding import phone
from handlers.value import last_day
from members import coupons, gifts, receipts, shops
from members.deeds import Deed
from members.serving import Errand, Served

FINAL = ("refund", "cash_out")  # the money has been handed out


def store(ctx: Context, which: str | None) -> str:
    """Return the name of a store, or that it was one of ours."""
    return shops.name_of(ctx.connection, which) or ctx.copy.text("some_store")


def what(
    ctx: Context, kind: str, amount: int, count: int, member: int | None, detail: Mapping[str, Any]
) -> str:  # fmt: skip
    """Return a deed in a few words, with its figure and the masked phone: 充值 ¥500.00(138****8000)."""
    whom = phone(ctx, member) if member is not None else ""
    return ctx.copy.text("what_for", what=_plain(ctx, kind, amount, count, detail), phone=whom)


def plain(ctx: Context, deed: Deed) -> str:
    """Return a deed in a few words, as its member may read it: 充值 ¥500.00."""
    return _plain(ctx, deed.kind, deed.amount, deed.count, deed.detail)


def _plain(ctx: Context, kind: str, amount: int, count: int, detail: Mapping[str, Any]) -> str:
    if kind == "issue":
        return ctx.copy.text("what_issue", count=count)
    if kind == "redeem":
        return ctx.copy.text("what_redeem")
    if kind == "points":
        return ctx.copy.text("what_points_up" if amount > 0 else "what_points_down", points=f"{abs(amount):,}")
    return ctx.copy.text(f"what_{kind}", amount=yuan(amount), name=detail.get(kind, ""))


def echo(ctx: Context, errand: Errand, served: Served) -> str:
    """Return what an errand would do, figure by figure."""
    facts = _facts(ctx, served)
    key = f"echo_{errand.kind}"
    if errand.kind == "points":
        key = "echo_points_up" if served.deed.amount > 0 else "echo_points_down"
        facts["reason"] = errand.params["reason"]
    return ctx.copy.text(key, **facts)


def done(ctx: Context, served: Served) -> str:
    """Return what was done, and how long it can be undone."""
    facts, kind = _facts(ctx, served), served.deed.kind
    key = {"issue": "staff_issued", "redeem": "staff_redeemed"}.get(kind, f"done_{kind}")
    if kind == "issue" and served.deed.count > 1:
        key = "staff_issued_many"
    if kind == "points":
        key = "done_points_up" if served.deed.amount > 0 else "done_points_down"
    lines = [ctx.copy.text(key, **facts), *_extras(ctx, served)]
    minutes = ctx.rules.staff.undo_minutes
    if minutes and kind not in FINAL:
        lines.append(ctx.copy.text("staff_can_undo", number=served.deed.id, minutes=minutes))
    return "\n".join(lines)


def notice(ctx: Context, served: Served) -> tuple[str, dict[str, object]]:
    """Return the text that tells the member, and its facts."""
    facts, kind = _facts(ctx, served), served.deed.kind
    facts["store"] = store(ctx, served.deed.store)
    if kind == "issue":
        return ("notice_coupons" if served.deed.count > 1 else "notice_coupon"), facts
    if kind == "points":
        return ("notice_points_up" if served.deed.amount > 0 else "notice_points_down"), facts
    if kind in ("sale", "refund"):
        result: Any = served.result
        facts |= {"total": facts["amount"], "order": facts["no"], "details": "".join(_details(ctx, kind, result))}
    return {"redeem": "notice_redeemed"}.get(kind, f"notice_{kind}"), facts


def _details(ctx: Context, kind: str, result: Any) -> list[str]:
    """Return what a sale brought its member, or what went back with a refund, a sentence each."""
    say, parts = ctx.copy.text, []
    if kind == "sale":
        balance, lost = result.principal + result.gift, 0
        parts += [say("sale_balance", amount=yuan(balance))] if balance else []
        parts += [say("sale_points", points=f"{result.points:,}")] if result.points else []
        parts += [say("sale_pending", points=f"{result.pending:,}")] if result.pending else []
        own = [gift for gift in result.gifts if gift.member == result.member]
        return parts + [say("sale_gift", title=one.title, gift=gifts.words(say, one, ctx.rules)) for one in own]
    balance, lost = result.principal_back + result.gift_back, result.points_taken
    parts += [say("refund_balance", amount=yuan(balance))] if balance else []
    parts += [say("refund_points", points=f"{lost:,}")] if lost else []
    titles = [title for title, state in result.coupons_back if state == "issued"]
    return parts + ([say("refund_coupons", titles=say("and_list").join(titles))] if titles else [])


def _facts(ctx: Context, served: Served) -> dict[str, object]:
    result: Any = served.result
    found: dict[str, object] = {"phone": phone(ctx, served.member), **_KINDS[served.deed.kind](ctx, served, result)}
    return found


def _issued(ctx: Context, served: Served, result: Any) -> Mapping[str, object]:
    first = result[0]
    codes = [coupons.spell(one.code) for one in result]
    return {
        "title": first.title, "code": codes[0], "codes": "\n".join(codes), "count": len(codes),
        "until": last_day(ctx, first.expires_at),
    }  # fmt: skip


def _redeemed(ctx: Context, served: Served, result: Any) -> Mapping[str, object]:
    return {"title": result.title, "code": coupons.spell(result.code)}


def _sold(ctx: Context, served: Served, result: Any) -> Mapping[str, object]:
    paid = result.principal + result.gift
    pay = ctx.copy.text("deal_paid", principal=yuan(result.principal), gift=yuan(result.gift)) if paid else ""
    earned = result.points + result.pending
    key = "deal_pending" if result.pending else "deal_points"
    points = ctx.copy.text(key, points=f"{earned:,}") if earned else ""
    return {"amount": yuan(served.deed.amount), "pay": pay, "points": points, "no": result.order_no}


def _refunded(ctx: Context, served: Served, result: Any) -> Mapping[str, object]:
    sold = receipts.find(ctx.connection, int(served.deed.detail["order"]))
    parts = [
        ctx.copy.text(f"back_{name}", amount=yuan(amount))
        for name, amount in (
            ("cash", result.cash_back),
            ("principal", result.principal_back),
            ("gift", result.gift_back),
        )
        if amount
    ]
    if result.points_taken:
        parts.append(ctx.copy.text("back_points", points=f"{result.points_taken:,}"))
    return {
        "amount": yuan(result.amount), "no": result.order_no, "time": sold.at if sold else ctx.now,
        "total": yuan(sold.total if sold else 0), "parts": ctx.copy.text("dot_list").join(parts),
    }  # fmt: skip


def _topped_up(ctx: Context, served: Served, result: Any) -> Mapping[str, object]:
    gift = ctx.copy.text("topup_gift", gift=yuan(result.gift)) if result.gift else ""
    return {"amount": yuan(result.principal), "gift": gift}


def _paid_out(ctx: Context, served: Served, result: Any) -> Mapping[str, object]:
    gift = ctx.copy.text("cash_out_gift", gift=yuan(result.gift)) if result.gift else ""
    return {"amount": yuan(result.principal), "gift": gift}


def _perk_used(ctx: Context, served: Served, result: Any) -> Mapping[str, object]:
    return {"perk": result.name, "left": "" if result.left is None else ctx.copy.text("perk_rest", left=result.left)}


def _plan_sold(ctx: Context, served: Served, result: Any) -> Mapping[str, object]:
    return {"plan": result.plan, "amount": yuan(result.price), "until": last_day(ctx, result.until)}


def _adjusted(ctx: Context, served: Served, result: Any) -> Mapping[str, object]:
    return {"points": f"{abs(served.deed.amount):,}"}


_KINDS: Mapping[str, Callable[[Context, Served, Any], Mapping[str, object]]] = {
    "issue": _issued, "redeem": _redeemed, "sale": _sold, "refund": _refunded, "topup": _topped_up,
    "points": _adjusted, "perk": _perk_used, "plan": _plan_sold, "cash_out": _paid_out,
}  # fmt: skip


def _extras(ctx: Context, served: Served) -> list[str]:
    """Return what came with a sale or a refund: gifts, a tier, coupons that are back."""
    result: Any = served.result
    lines = []
    if served.deed.kind == "sale":
        own = [gift for gift in result.gifts if gift.member == result.member]
        lines += [ctx.copy.text("deal_gift", title=gift.title, gift=_gift(ctx, gift)) for gift in own]
    if served.deed.kind == "refund":
        lines += [
            ctx.copy.text("back_coupon", title=title) for title, state in result.coupons_back if state == "issued"
        ]
    tier = getattr(result, "tier", None)
    if tier is not None:
        lines.append(ctx.copy.text("deal_tier", after=tier.after, reason=tier.reason.rstrip("。.")))
    return lines


def _gift(ctx: Context, gift: Any) -> str:
    parts = [ctx.copy.text("gift_points", points=f"{gift.points:,}")] if gift.points else []
    if gift.coupon_title:
        parts.append(f"「{gift.coupon_title}」")
    return ctx.copy.text("and_list").join(parts)
