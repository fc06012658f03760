"""注销: what goes is named, the exact words asked for, the phone proved, a cool-down kept; and the way back.

The deed itself is done by a job when the cool-down is over (members/forgetting.py).
"""

from handlers import flows, notices
from handlers.context import Context, Reply
from handlers.copy import yuan
from handlers.flows import Flow, Purpose
from handlers.grammar import SURE
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import erasing, identity, verification
from members.erasing import Wish
from members.vault import mask_phone


def erase(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Say what would be lost and what must be paid out first, and ask for the exact words."""
    if ctx.person.member is None:
        return Reply(ctx.copy.text("erase_stranger"))
    known = erasing.waiting(ctx.connection, ctx.member.id)
    if known is not None:
        return Reply(ctx.copy.text("erase_waiting", date=_date(ctx, known)))
    flows.wait_for(ctx, Flow.ERASE)
    facts = {"lost": _lost(ctx), "days": ctx.rules.privacy.erase_days}
    return Reply(ctx.copy.text("erase_ask", **facts) + _principal(ctx))


def _lost(ctx: Context) -> str:
    """Name everything that goes, in one line."""
    found, text = erasing.loss(ctx.connection, ctx.member.id, ctx.now), ctx.copy.text
    parts = [text("lost_points", points=f"{found.points:,}")] if found.points else []
    parts += [text("lost_gift", gift=yuan(found.gift))] if found.gift else []
    parts += [text("lost_coupons", count=found.coupons)] if found.coupons else []
    for partner, many in found.wallets.items():
        rule = ctx.rules.loyalty.partners.get(partner)
        parts.append(text("lost_units", many=f"{many:,}", unit=rule.unit if rule else partner))
    parts += [text("lost_plan", plan=found.plan)] if found.plan else []
    parts.append(text("lost_tier", tier=found.tier))
    return text("and_list").join(parts)


def _principal(ctx: Context) -> str:
    """Return the line that says what is theirs and must be paid out first, or nothing."""
    found = erasing.loss(ctx.connection, ctx.member.id, ctx.now)
    return "\n" + ctx.copy.text("erase_first", principal=yuan(found.principal)) if found.principal else ""


def _date(ctx: Context, wish: Wish) -> str:
    return ctx.copy.day(wish.due_at)


def insist(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Answer a bare 确认: leaving wants its exact words."""
    return erase(inbound, ctx, said)


def confirm(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Have the phone proved once more, if leaving was asked for a moment ago and the words are exact."""
    if ctx.person.member is None or not flows.standing(ctx, Flow.ERASE) or said.confidence < SURE:
        return erase(inbound, ctx, said)
    phone = identity.phone_of(ctx.connection, ctx.vault, ctx.member.id)
    if phone is None:
        return _begin(ctx)
    rules = ctx.rules.binding
    verification.start(
        ctx.connection, ctx.vault, rules, openid=ctx.openid, phone=phone, purpose=Purpose.ERASE,
        zone=ctx.rules.shop.zone, now=ctx.now,
    )  # fmt: skip
    ctx.wake.append("code")
    sealed, minutes = ctx.vault.seal_system("flow", phone), rules.code_minutes + flows.FLOW_MINUTES
    flows.wait_for(ctx, Flow.ASK_CODE, minutes=minutes, sealed=sealed, purpose=Purpose.ERASE)
    return Reply(ctx.copy.text("erase_code", phone=mask_phone(phone), minutes=rules.code_minutes))


def proved(ctx: Context, phone: str) -> Reply:
    """Begin the cool-down of a member who has proved their present phone."""
    if ctx.person.member is None or phone != identity.phone_of(ctx.connection, ctx.vault, ctx.member.id):
        return Reply(ctx.copy.text("code_none"))
    return _begin(ctx)


def _begin(ctx: Context) -> Reply:
    flows.leave(ctx)
    note = ctx.copy.text("reason_leaving")
    wish = erasing.ask(ctx.connection, ctx.rules, ctx.member.id, by=ctx.by, note=note, now=ctx.now)
    told = {"time": ctx.now, "date": _date(ctx, wish)}
    notices.tell(ctx, ctx.member.id, "erase_asked_notice", told, channels=notices.SECURITY)
    return Reply(ctx.copy.text("erase_begun", date=_date(ctx, wish)) + _principal(ctx))


def withdraw(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Take the wish back, from any of the member's openids; before it was made, leave its flow."""
    in_flow = flows.standing(ctx, Flow.ERASE) or flows.purpose(ctx) is Purpose.ERASE
    if in_flow:
        verification.cancel(ctx.connection, ctx.openid)
        flows.leave(ctx)
    if ctx.person.member is not None and erasing.withdraw(ctx.connection, ctx.member.id, by=ctx.by, now=ctx.now):
        return Reply(ctx.copy.text("erase_withdrawn"))
    return Reply(ctx.copy.text("erase_not_begun" if in_flow else "erase_none"))
