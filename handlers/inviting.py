"""Friends: the member's own code, a friend's code typed before or just after binding, and what binding makes of it."""

from datetime import timedelta

from handlers import notices
from handlers.context import Article, Context, Reply
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import gifts, identity, invitations, limits, referrals
from members.errors import MemberError
from members.referrals import Friend, Joined
from members.rules import Gift, ReferralRule

GUESSES, WINDOW = 10, timedelta(hours=1)


def invite(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Give the member's code, how a friend uses it, what it brings, and how many have come."""
    rule = ctx.rules.loyalty.referral
    if rule is None:
        return Reply(ctx.copy.text("invite_off"))
    code = invitations.code_of(ctx.connection, ctx.member.id, now=ctx.now)
    spelt, found = invitations.spell(code), referrals.standing(ctx.connection, ctx.member.id)
    head = ctx.copy.text("invite_head")
    parts = [*_terms(ctx, rule), ctx.copy.text("invite_code", code=spelt)]
    if found.came:
        parts.append(ctx.copy.text("invite_standing", came=found.came, rewarded=found.rewarded))
    picture = ctx.link("qr", code)
    if not picture:
        return Reply("\n".join([head, *parts]))
    return Reply(articles=(Article(head, "\n".join(parts), picture, f"{picture}.png"),))


def _terms(ctx: Context, rule: ReferralRule) -> list[str]:
    mine, theirs = _gift(ctx, rule.inviter), "" if rule.invitee is None else _gift(ctx, rule.invitee)
    key = "invite_both" if theirs else "invite_mine"
    when = "invite_when" if rule.over else "invite_at_once"
    return [
        ctx.copy.text(key, mine=mine, theirs=theirs), ctx.copy.text(when, over=rule.over, most=rule.per_month)
    ]  # fmt: skip


def _gift(ctx: Context, gift: Gift) -> str:
    parts = [ctx.copy.text("gift_points", points=f"{gift.points:,}")] if gift.points else []
    if gift.coupon in ctx.rules.coupons:
        parts.append(ctx.copy.text("invite_coupon", title=ctx.rules.coupons[gift.coupon].title))
    return ctx.copy.text("and_list").join(parts)


def typed(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Take a friend's code: of a stranger it is kept until they bind, of a member who has just bound it counts."""
    rule, code = ctx.rules.loyalty.referral, said.slots.get("code")
    if rule is None:
        return Reply(ctx.copy.text("invite_off"))
    if code is None:
        return invite(inbound, ctx, said) if ctx.person.member else Reply(ctx.copy.text("invite_type"))
    inviter = _inviter(ctx, code)
    if inviter is None:
        return Reply(ctx.copy.text("invite_wrong"))
    if ctx.person.member is None:
        invitations.remember(ctx.connection, ctx.openid, code, now=ctx.now)
        return Reply(ctx.copy.text("invite_noted", what=_for_friend(ctx, rule)))
    member = ctx.member.id
    new = referrals.still_new(ctx.connection, member, ctx.now)
    phone = next((row.value for row in identity.of_member(ctx.connection, member) if row.kind == "phone"), "")
    line = _join(ctx, rule, Friend(member, ctx.openid, phone, not new), inviter)
    return Reply(line or ctx.copy.text("invite_once"))


def noted(ctx: Context, code: str) -> None:
    """Keep a code that came along with a phone; a wrong one is passed over."""
    if ctx.rules.loyalty.referral is not None and _inviter(ctx, code) is not None:
        invitations.remember(ctx.connection, ctx.openid, code, now=ctx.now)


def _inviter(ctx: Context, code: str) -> int | None:
    """Return whose code it is; too many wrong ones in an hour, and none is right any more."""
    key = f"friend:{ctx.openid}"
    period = limits.every(WINDOW, ctx.now)
    if limits.count(ctx.connection, key, period) >= GUESSES:
        return None
    found = invitations.inviter_of(ctx.connection, code)
    if found is None:
        try:
            limits.take(ctx.connection, key, period, GUESSES, refusal="busy")
        except MemberError:
            return None
    return found


def at_binding(ctx: Context, member: int, phone: str, *, known: bool) -> str:
    """Write down who brought somebody who has just bound; return a line that says so, '' when nobody did."""
    rule = ctx.rules.loyalty.referral
    code = None if rule is None else invitations.remembered(ctx.connection, ctx.openid, ctx.now)
    inviter = None if code is None else invitations.inviter_of(ctx.connection, code)
    if rule is None or inviter is None:
        return ""
    friend = Friend(member, ctx.openid, ctx.vault.blind_index("phone", phone), known)
    line = _join(ctx, rule, friend, inviter)
    return f"\n{line}" if line else ""


def _join(ctx: Context, rule: ReferralRule, friend: Friend, inviter: int) -> str:
    """Write down an invitation and say what became of it; '' when there was one before."""
    done = referrals.join(ctx.connection, ctx.rules, friend, inviter, by=ctx.by, now=ctx.now)
    if not done.created:
        return ""
    if done.state != "joined":
        return ctx.copy.text(f"invite_not_{done.reason}")
    return _welcomed(ctx, rule, friend, done)


def _welcomed(ctx: Context, rule: ReferralRule, friend: Friend, done: Joined) -> str:
    """Tell the inviter, give both their gifts where nothing has to be bought first, and say what the friend gets."""
    given = referrals.settle(ctx.connection, ctx.rules, friend.member, order=None, by=ctx.by, now=ctx.now)
    if not given:
        facts = {"gift": _gift(ctx, rule.inviter), "over": rule.over}
        notices.tell(ctx, done.inviter, "notice_friend_joined", facts)
        return ctx.copy.text("invite_joined", what=_for_friend(ctx, rule))
    say = ctx.copy.text
    told = gifts.tell(ctx.connection, say, given, app=ctx.app, rules=ctx.rules, now=ctx.now, except_openid=ctx.openid)
    ctx.wake.extend(["notice"] * bool(told))
    own = [gifts.words(say, gift, ctx.rules) for gift in given if gift.member == friend.member]
    return say("invite_given", gift=say("and_list").join(own)) if own else say("invite_counted")


def _for_friend(ctx: Context, rule: ReferralRule) -> str:
    """Return what the friend gets and when, as one sentence."""
    if rule.invitee is None:
        return ctx.copy.text("invite_thanks")
    key = "invite_friend_after" if rule.over else "invite_friend"
    return ctx.copy.text(key, gift=_gift(ctx, rule.invitee), over=rule.over)
