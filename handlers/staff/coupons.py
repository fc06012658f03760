"""Issue and redeem coupons at the counter; the member is told of both."""

import re
from collections.abc import Mapping

from handlers import notices
from handlers.context import Context, Reply
from handlers.grammar import SURE
from handlers.inbound import Inbound
from handlers.reading import normalise, squeeze
from handlers.staff.grammar import ANY_COUPON, COUPON_AFTER
from handlers.understanding import Understood
from handlers.value import last_day
from members import audit, coupons, identity, limits, shops
from members.errors import MemberError
from members.rules import CouponRule
from members.vault import mask_phone, normalise_phone

NAME_CHARS = 20
PART_CHARS = 2


def issue(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Issue one coupon: 发券 手机号 券名. MemberError when the member, the template or a limit refuses."""
    refuse_problem(said)
    name = said.slots.get("name", "")
    if "phone" not in said.slots or not name:
        return Reply(ctx.copy.text("staff_issue_how", choices=_choices(ctx.rules.coupons)))
    code = find_template(ctx.rules.coupons, name)
    member = find_member(ctx, said.slots["phone"])
    _not_oneself(ctx, member)
    _within_shift(ctx)
    issued = coupons.issue(
        ctx.connection, code, ctx.rules.coupons[code], member, key=f"staff:{ctx.message_key}", by=ctx.actor,
        reason=ctx.copy.text("reason_staff_issue", name=ctx.staff.name), zone=ctx.rules.shop.zone, now=ctx.now,
    )  # fmt: skip
    audit.write(ctx.connection, ctx.by, "coupon.issue", member, {"coupon": issued.id, "template": code}, now=ctx.now)
    told = {"title": issued.title, "code": coupons.spell(issued.code), "until": last_day(ctx, issued.expires_at)}
    notices.tell(ctx, member, "notice_coupon", told)
    return Reply(ctx.copy.text("staff_issued", phone=_phone(ctx, member), **told))


def _within_shift(ctx: Context) -> None:
    """Count one coupon of this person's shift (a business day); MemberError('staff_limit') past the role's limit."""
    most = ctx.rules.staff.of(ctx.staff.role).coupons_per_shift
    if most is None:
        return
    shift = limits.business_day(ctx.now, ctx.rules.shop.zone, ctx.rules.shop.day_start)
    key = f"staff:{ctx.staff.id}:coupons"
    limits.take(ctx.connection, key, shift, most, refusal="staff_limit")


def redeem(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Redeem a coupon once: 核销 券码. A code alone is asked about: a slip of the finger must not use up a coupon."""
    code = re.sub(r"[\W_]", "", said.slots.get("code", "")).upper()
    if not code:
        return Reply(ctx.copy.text("staff_redeem_how"))
    if said.confidence < SURE:
        return Reply(ctx.copy.text("staff_redeem_ask", code=coupons.spell(code)))
    done = coupons.redeem(ctx.connection, code, by=ctx.actor, store=ctx.staff.store, now=ctx.now)
    _not_oneself(ctx, done.member)
    audit.write(ctx.connection, ctx.by, "coupon.redeem", done.member, {"coupon": done.id}, now=ctx.now)
    store = shops.name_of(ctx.connection, ctx.staff.store) or ctx.copy.text("some_store")
    notices.tell(ctx, done.member, "notice_redeemed", {"title": done.title, "store": store})
    spelled = coupons.spell(coupons.normalise_code(code))
    return Reply(ctx.copy.text("staff_redeemed", title=done.title, code=spelled, phone=_phone(ctx, done.member)))


def refuse_problem(said: Understood) -> None:
    """Raise what is wrong with the command as it was typed (MemberError)."""
    if problem := said.slots.get("problem"):
        raise MemberError(problem)


def find_member(ctx: Context, phone: str) -> int:
    """Return the member of a phone typed by staff (MemberError staff_no_member)."""
    found = identity.find_by_phone(ctx.connection, ctx.vault, normalise_phone(phone))
    if found is None:
        raise MemberError("staff_no_member")
    return found


def find_template(templates: Mapping[str, CouponRule], name: str) -> str:
    """Return the code of the template meant by a code, a title, part of one title, or words with one title in them."""
    rules = {code: rule for code, rule in templates.items() if "{" not in rule.title}
    if ANY_COUPON.fullmatch(squeeze(name)):
        raise MemberError("template_which", choices=_choices(rules))
    titles = {code: squeeze(rule.title) for code, rule in rules.items()}
    for wanted in dict.fromkeys((squeeze(name), COUPON_AFTER.sub("", squeeze(name)))):
        exact = [code for code, title in titles.items() if wanted in (title, squeeze(code)) or normalise(name) == code]
        partly = [code for code, title in titles.items() if len(wanted) >= PART_CHARS and wanted in title]
        within = [code for code, title in titles.items() if title in wanted]
        for found in (exact, partly, within):
            if len(found) == 1:
                return found[0]
        if partly:
            raise MemberError("template_which", choices=_choices({code: rules[code] for code in partly}))
    raise MemberError("template_unknown", name=name[:NAME_CHARS], choices=_choices(rules))


def _not_oneself(ctx: Context, member: int) -> None:
    if ctx.person.member is not None and ctx.person.member.id == member:
        raise MemberError("staff_self")


def _phone(ctx: Context, member: int) -> str:
    return mask_phone(identity.phone_of(ctx.connection, ctx.vault, member) or "")


def _choices(rules: Mapping[str, CouponRule]) -> str:
    return "\n".join(f"· {rule.title}" for rule in rules.values() if "{" not in rule.title)
