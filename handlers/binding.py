"""Binding by SMS code, changing the phone, unbinding. Decisions and their reasons: docs/identity.md."""

from handlers import flows, inviting, leaving, notices
from handlers.context import Context, Reply
from handlers.copy import yuan
from handlers.flows import Flow, Purpose
from handlers.grammar import SURE
from handlers.inbound import Inbound
from handlers.staff import joining
from handlers.understanding import Understood
from members import adoption, arrivals, audit, buyers, conversations, coupons, identity, ledger, tiers, verification
from members.errors import MemberError
from members.vault import mask_phone, normalise_phone


def bind(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Ask for the phone, or send the code to it; the answer is the same whether or not the phone is known."""
    phone = said.slots.get("phone")
    if ctx.person.member is not None:
        return _bind_again(ctx, phone)
    if "invite" in said.slots:
        inviting.noted(ctx, said.slots["invite"])
    if phone is None:
        flows.wait_for(ctx, Flow.ASK_PHONE)
        return Reply(ctx.copy.text("bind_ask_phone"))
    return _send_code(ctx, normalise_phone(phone), Purpose.BIND)


def _bind_again(ctx: Context, phone: str | None) -> Reply:
    """Answer a member who types a phone: a step of changing it, or a reminder that they are bound already."""
    awaited = flows.purpose(ctx)
    if awaited is Purpose.CHANGE or flows.standing(ctx, Flow.ASK_NEW_PHONE):
        return _new_phone(ctx, phone)
    own = mask_phone(_own_phone(ctx))
    if awaited is Purpose.PROVE:
        return Reply(ctx.copy.text("prove_first", phone=own))
    other = phone is not None and normalise_phone(phone) != _own_phone(ctx)
    return Reply(ctx.copy.text("bound_otherwise" if other else "already_member", phone=own))


def change_phone(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Have the present phone proved first; a new one that came along is remembered and gets its code after that."""
    wanted = said.slots.get("phone")
    if flows.standing(ctx, Flow.ASK_NEW_PHONE) or flows.purpose(ctx) is Purpose.CHANGE:
        return _new_phone(ctx, wanted)
    own, sealed = _own_phone(ctx), None
    if wanted is not None:
        if normalise_phone(wanted) == own:
            return Reply(ctx.copy.text("phone_same", phone=mask_phone(own)))
        sealed = ctx.vault.seal_system("flow", normalise_phone(wanted))
    return _send_code(ctx, own, Purpose.PROVE, remember=sealed)


def _new_phone(ctx: Context, typed: str | None) -> Reply:
    """Send a code to the new phone of a member who has proved the present one."""
    if typed is None:
        flows.wait_for(ctx, Flow.ASK_NEW_PHONE)
        return Reply(ctx.copy.text("change_ask_phone"))
    phone = normalise_phone(typed)
    if phone == _own_phone(ctx):
        return Reply(ctx.copy.text("phone_same", phone=mask_phone(phone)))
    return _send_code(ctx, phone, Purpose.CHANGE)


def _own_phone(ctx: Context) -> str:
    return identity.phone_of(ctx.connection, ctx.vault, ctx.member.id) or ""


def bad_phone(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Answer a number given as a phone that is no mobile number."""
    return Reply(ctx.copy.text("bad_phone"))


def resend(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Send another code to the phone the flow remembers."""
    awaited = flows.purpose(ctx)
    if awaited is None or ctx.stand is None or (awaited is Purpose.PROVE and ctx.person.member is None):
        return _no_code(ctx)
    if awaited is Purpose.PROVE:
        return _send_code(ctx, _own_phone(ctx), awaited, remember=ctx.stand.sealed)
    return _send_code(ctx, ctx.vault.unseal_system("flow", ctx.stand.sealed or b""), awaited)


def _send_code(ctx: Context, phone: str, purpose: Purpose, *, remember: bytes | None = None) -> Reply:
    rules = ctx.rules.binding
    verification.start(
        ctx.connection, ctx.vault, rules, openid=ctx.openid, phone=phone, purpose=purpose, zone=ctx.rules.shop.zone,
        now=ctx.now,
    )  # fmt: skip
    ctx.wake.append("code")
    sealed = remember if purpose is Purpose.PROVE else ctx.vault.seal_system("flow", phone)
    flows.wait_for(ctx, Flow.ASK_CODE, minutes=rules.code_minutes + flows.FLOW_MINUTES, sealed=sealed, purpose=purpose)
    key = "prove_sent" if purpose is Purpose.PROVE else "code_sent"
    return Reply(ctx.copy.text(key, phone=mask_phone(phone), minutes=rules.code_minutes))


def verify_code(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Check the code; a right one binds, proves or changes, a wrong one is counted, a mistyped one is not."""
    code = said.slots.get("code", "")
    if len(code) != verification.DIGITS:
        return Reply(ctx.copy.text("code_shape"))
    checked = verification.check(
        ctx.connection, ctx.vault, ctx.rules.binding, openid=ctx.openid, code=code, now=ctx.now
    )
    if checked.verdict == "right":
        return _proved(ctx, checked)
    if checked.verdict == "none" or (checked.verdict == "expired" and flows.purpose(ctx) is None):
        return _no_code(ctx)
    if checked.verdict == "locked":
        flows.leave(ctx)
    return Reply(ctx.copy.text(f"code_{checked.verdict}", left=checked.left, minutes=checked.minutes))


def _no_code(ctx: Context) -> Reply:
    return Reply(ctx.copy.text("code_none_member" if ctx.person.member else "code_none"))


def _proved(ctx: Context, checked: verification.Checked) -> Reply:
    sealed = ctx.stand.sealed if ctx.stand is not None and flows.purpose(ctx) is Purpose.PROVE else None
    flows.leave(ctx)
    if checked.purpose == Purpose.STAFF:
        return joining.proved(ctx, checked.phone)
    if checked.purpose == Purpose.ERASE:
        return leaving.proved(ctx, checked.phone)
    if checked.purpose == Purpose.BIND:
        return _bound(ctx, checked.phone)
    if ctx.person.member is None:
        return _no_code(ctx)
    if checked.purpose == Purpose.CHANGE:
        return _changed(ctx, checked.phone)
    if checked.phone != _own_phone(ctx):
        return _no_code(ctx)
    return _new_phone(ctx, None if sealed is None else ctx.vault.unseal_system("flow", sealed))


def _changed(ctx: Context, phone: str) -> Reply:
    member, old = ctx.member.id, _own_phone(ctx)
    try:
        identity.change_phone(ctx.connection, ctx.vault, member, phone, by=ctx.actor, now=ctx.now)
    except MemberError as refused:
        # said here, not by the router: its rollback would leave the code and the flow open, to no end
        return Reply(ctx.copy.text(refused.code))
    audit.write(ctx.connection, ctx.by, "identity.change_phone", member, {}, now=ctx.now)
    for openid in identity.openids_of(ctx.connection, member, ctx.app):
        # a change that another openid has begun rests on the proof of a phone that is no longer theirs
        verification.cancel(ctx.connection, openid)
        conversations.end(ctx.connection, openid)
    told = {"time": ctx.now, "phone": mask_phone(phone), "old": mask_phone(old)}
    notices.tell(ctx, member, "phone_changed_notice", told, channels=notices.SECURITY)
    return Reply(ctx.copy.text("phone_changed", phone=mask_phone(phone)) + _adopted(ctx, member))


def _adopted(ctx: Context, member: int) -> str:
    """Attach what the member bought before we knew them; return a line that says so, or nothing."""
    marks = buyers.marks_of(ctx.connection, member, ctx.app)
    count = adoption.adopt(ctx.connection, ctx.vault, ctx.rules, member, marks, app=ctx.app, by=ctx.by, now=ctx.now)
    return "\n" + ctx.copy.text("adopted", count=count) if count else ""


def _bound(ctx: Context, phone: str) -> Reply:
    if ctx.person.member is not None:
        return _bind_again(ctx, phone)
    rules = ctx.rules
    tier = rules.loyalty.tiers[0].name
    member, taken_over = identity.bind(
        ctx.connection, ctx.vault, openid=ctx.openid, app=ctx.app, phone=phone, tier=tier,
        most_openids=rules.binding.openids_per_member, now=ctx.now,
    )  # fmt: skip
    audit.write(ctx.connection, ctx.by, "identity.bind", member, {"taken_over": taken_over}, now=ctx.now)
    arrivals.belong(ctx.connection, ctx.openid, member)
    adopted = _adopted(ctx, member) + inviting.at_binding(ctx, member, phone, known=taken_over)
    if not taken_over:
        return Reply(ctx.copy.text("bound_new", tier=tier) + adopted)
    told = {"time": ctx.now, "phone": mask_phone(phone)}
    notices.tell(ctx, member, "other_bound_notice", told, channels=notices.SECURITY)
    owned = ledger.balances(ctx.connection, member)
    points, _ = ledger.good_points(ctx.connection, member, ctx.now)
    return Reply(
        ctx.copy.text(
            "bound_existing",
            tier=tiers.of_member(ctx.connection, member) or tier,
            points=f"{points:,}",
            balance=yuan(owned["principal"] + owned["gift"]),
            coupons=f"{coupons.count_usable(ctx.connection, member, ctx.now):,}",
        )
        + adopted
    )


def unbind(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Say what unbinding means and ask for the exact words."""
    flows.wait_for(ctx, Flow.UNBIND)
    return Reply(ctx.copy.text("unbind_ask", phone=mask_phone(_own_phone(ctx))))


def confirm_unbind(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Unbind, if it was asked for a moment ago and the words are exact."""
    if not flows.standing(ctx, Flow.UNBIND) or said.confidence < SURE:
        return unbind(inbound, ctx, said)
    identity.unbind(ctx.connection, openid=ctx.openid, app=ctx.app, by=ctx.actor, now=ctx.now)
    audit.write(ctx.connection, ctx.by, "identity.unbind", ctx.member.id, {}, now=ctx.now)
    verification.cancel(ctx.connection, ctx.openid)
    flows.leave(ctx)
    return Reply(ctx.copy.text("unbound"))


def cancel(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Leave the flow; a code that was sent is worth nothing any more."""
    waiting = verification.cancel(ctx.connection, ctx.openid)
    if ctx.stand is None and not waiting:
        return Reply(ctx.copy.text("nothing_to_cancel"))
    flows.leave(ctx)
    return Reply(ctx.copy.text("cancelled"))


def confirm(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Answer a bare yes: unbinding wants its exact words, nothing else is waiting."""
    if flows.standing(ctx, Flow.UNBIND) and ctx.person.member is not None:
        return unbind(inbound, ctx, said)
    return Reply(ctx.copy.text("help_member" if ctx.person.member else "help_stranger"))
