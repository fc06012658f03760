"""Issue and redeem coupons at the counter; the member is told of both."""

from collections.abc import Mapping
from datetime import timedelta

from handlers.context import Context, Reply
from handlers.inbound import Inbound
from handlers.understanding import PHONE, Understood, normalise, squeeze
from handlers.value import last_day
from members import audit, coupons, identity, limits, outbox, shops
from members.errors import MemberError
from members.rules import CouponRule
from members.vault import mask_phone, normalise_phone

SHIFT = timedelta(days=1)
NOTICE_DAYS = 7


def issue(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Issue one coupon: 发券 手机号 券名. MemberError when the member, the template or a limit refuses."""
    name = PHONE.sub("", said.slots.get("rest", "")).strip()
    if "phone" not in said.slots or not name:
        return Reply(ctx.copy.text("staff_issue_how", choices=_choices(ctx.rules.coupons)))
    member = find_member(ctx, said.slots["phone"])
    _not_oneself(ctx, member)
    code = find_template(ctx, name)
    rule = ctx.rules.coupons[code]
    allowed = ctx.rules.staff.limits.get(ctx.staff.role)  # type: ignore[call-overload]
    if allowed is not None:
        most = allowed.coupons_per_shift
        try:
            limits.take(
                ctx.connection, f"staff:{ctx.staff.id}:coupons", SHIFT, most, now=ctx.now, refusal="staff_limit"
            )
        except MemberError as refusal:
            raise MemberError("staff_limit", most=most) from refusal
    issued = coupons.issue(
        ctx.connection, code, rule, member, key=f"staff:{ctx.message_key}", by=ctx.actor,
        reason=f"{ctx.staff.name}在门店赠送", zone=ctx.rules.shop.zone, now=ctx.now,
    )  # fmt: skip
    spelled, until = coupons.spell(issued.code), last_day(ctx, issued.expires_at)
    audit.write(ctx.connection, ctx.actor, "coupon.issue", member, {"coupon": issued.id, "template": code}, now=ctx.now)
    tell(ctx, member, "notice_coupon", title=issued.title, code=spelled, until=until)
    return Reply(
        ctx.copy.text("staff_issued", title=issued.title, phone=_phone(ctx, member), code=spelled, until=until)
    )


def redeem(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Redeem a coupon once: 核销 券码."""
    code = said.slots.get("rest", "").upper()
    if not squeeze(code):
        return Reply(ctx.copy.text("staff_redeem_how"))
    done = coupons.redeem(ctx.connection, code, by=ctx.actor, store=ctx.staff.store, now=ctx.now)
    _not_oneself(ctx, done.member)
    audit.write(ctx.connection, ctx.actor, "coupon.redeem", done.member, {"coupon": done.id}, now=ctx.now)
    store = shops.name_of(ctx.connection, ctx.staff.store) or "门店"
    tell(ctx, done.member, "notice_redeemed", title=done.title, store=store)
    spelled = coupons.spell(coupons.normalise_code(code))
    return Reply(ctx.copy.text("staff_redeemed", title=done.title, code=spelled, phone=_phone(ctx, done.member)))


def find_member(ctx: Context, phone: str) -> int:
    """Return the member of a phone typed by staff (MemberError staff_no_member)."""
    found = identity.find_by_phone(ctx.connection, ctx.vault, normalise_phone(phone))
    if found is None:
        raise MemberError("staff_no_member")
    return found


def find_template(ctx: Context, name: str) -> str:
    """Return the code of the template meant by a code, a title, or part of exactly one title."""
    wanted = squeeze(name)
    rules = {code: rule for code, rule in ctx.rules.coupons.items() if "{" not in rule.title}
    for code, rule in rules.items():
        if wanted in (squeeze(code), squeeze(rule.title)) or normalise(name) == normalise(code):
            return code
    partly = [code for code, rule in rules.items() if wanted and wanted in squeeze(rule.title)]
    if len(partly) == 1:
        return partly[0]
    if partly:
        raise MemberError("template_which", choices=_choices({code: rules[code] for code in partly}))
    raise MemberError("template_unknown", name=name[:20], choices=_choices(rules))


def tell(ctx: Context, member: int, text: str, **facts: object) -> None:
    """Put a notice of something just done for the member in the outbox, to every openid that speaks for them."""
    for openid in identity.openids_of(ctx.connection, member, ctx.app):
        message = outbox.Message(
            key=f"{text}:{ctx.message_key}:{openid[-8:]}", kind="notice", topic=text, openid=openid,
            channels=("service", "template", "next_reply"), content={"text": ctx.copy.text(text, **facts)},
            reason="店员操作通知", not_before=ctx.now, expires_at=ctx.now + timedelta(days=NOTICE_DAYS),
        )  # fmt: skip
        outbox.put(ctx.connection, message, now=ctx.now)
        ctx.wake.append("notice")


def _not_oneself(ctx: Context, member: int) -> None:
    if ctx.person.member is not None and ctx.person.member.id == member:
        raise MemberError("staff_self")


def _phone(ctx: Context, member: int) -> str:
    return mask_phone(identity.phone_of(ctx.connection, ctx.vault, member) or "")


def _choices(rules: Mapping[str, CouponRule]) -> str:
    return "\n".join(f"· {rule.title}" for rule in rules.values() if "{" not in rule.title)
