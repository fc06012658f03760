"""Binding by SMS code, unbinding, changing the phone; the member code, the tier, the greeting."""

import hmac
import re
from datetime import timedelta
from enum import StrEnum

from handlers.context import Article, Context, Reply
from handlers.copy import yuan
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import conversations, coupons, identity, ledger, orders, outbox, tiers, verification
from members.clock import business_date
from members.conversations import Stand
from members.vault import mask_phone, normalise_phone

FLOW_MINUTES = 10
CODE_ROTATES = 60


class Flow(StrEnum):
    """States of the membership flows."""

    ASK_PHONE = "bind.phone"
    ASK_NEW_PHONE = "change.phone"
    ASK_CODE = "bind.code"
    UNBIND = "unbind.confirm"


def bind(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Ask for the phone, or send the code to it; the answer is the same whether or not the phone is known."""
    changing = ctx.stand is not None and ctx.stand.state == Flow.ASK_NEW_PHONE
    if ctx.person.member is not None and not changing:
        phone = identity.phone_of(ctx.connection, ctx.vault, ctx.member.id)
        if said.slots.get("phone") and phone != normalise_phone(said.slots["phone"]):
            return Reply(ctx.copy.text("already_bound"))
        return Reply(ctx.copy.text("already_member", phone=mask_phone(phone or "")))
    if "phone" not in said.slots:
        _stand(ctx, Flow.ASK_PHONE)
        return Reply(ctx.copy.text("bind_ask_phone"))
    return _send_code(ctx, said.slots["phone"], "change" if changing else "bind")


def change_phone(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Send a code to the new phone; the change happens when it comes back."""
    if "phone" not in said.slots:
        _stand(ctx, Flow.ASK_NEW_PHONE)
        return Reply(ctx.copy.text("change_ask_phone"))
    return _send_code(ctx, said.slots["phone"], "change")


def bad_phone(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Answer a number that a flow was waiting for but that is no mobile number."""
    return Reply(ctx.copy.text("bad_phone"))


def resend(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Send another code to the phone the flow remembers."""
    stand = ctx.stand
    if stand is None or stand.state != Flow.ASK_CODE or stand.sealed is None:
        return Reply(ctx.copy.text("code_none"))
    return _send_code(ctx, ctx.vault.unseal_system("flow", stand.sealed), str(stand.data["purpose"]))


def _send_code(ctx: Context, typed: str, purpose: str) -> Reply:
    phone = normalise_phone(typed)
    rules = ctx.rules.binding
    verification.start(ctx.connection, ctx.vault, rules, openid=ctx.openid, phone=phone, purpose=purpose, now=ctx.now)
    ctx.wake.append("code")
    _stand(ctx, Flow.ASK_CODE, sealed=ctx.vault.seal_system("flow", phone), purpose=purpose)
    return Reply(ctx.copy.text("code_sent", phone=mask_phone(phone), minutes=rules.code_minutes))


def verify_code(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Check the code; a right one binds the openid or changes the phone, a wrong one is counted."""
    rules = ctx.rules.binding
    checked = verification.check(
        ctx.connection, ctx.vault, rules, openid=ctx.openid, code=said.slots["code"], now=ctx.now
    )
    if checked.verdict == "wrong":
        return Reply(ctx.copy.text("code_wrong", left=checked.left))
    if checked.verdict in ("expired", "none"):
        return Reply(ctx.copy.text(f"code_{checked.verdict}"))
    if checked.verdict == "locked":
        conversations.end(ctx.connection, ctx.openid)
        return Reply(ctx.copy.text("code_locked", minutes=rules.lock_minutes))
    conversations.end(ctx.connection, ctx.openid)
    return _changed(ctx, checked.phone) if checked.purpose == "change" else _bound(ctx, checked.phone)


def _changed(ctx: Context, phone: str) -> Reply:
    identity.change_phone(ctx.connection, ctx.vault, ctx.member.id, phone, by=ctx.actor, now=ctx.now)
    return Reply(ctx.copy.text("phone_changed", phone=mask_phone(phone)))


def _bound(ctx: Context, phone: str) -> Reply:
    rules = ctx.rules
    tier = rules.loyalty.tiers[0].name
    member, taken_over = identity.bind(
        ctx.connection, ctx.vault, openid=ctx.openid, app=ctx.app, phone=phone, tier=tier,
        most_openids=rules.binding.openids_per_member, now=ctx.now,
    )  # fmt: skip
    if not taken_over:
        return Reply(ctx.copy.text("bound_new", tier=tier))
    _tell_the_others(ctx, member, phone)
    owned = ledger.balances(ctx.connection, member)
    return Reply(
        ctx.copy.text(
            "bound_existing",
            tier=tiers.of_member(ctx.connection, member) or tier,
            points=f"{owned['points']:,}",
            balance=yuan(owned["principal"] + owned["gift"]),
            coupons=coupons.count_usable(ctx.connection, member, ctx.now),
        )
    )


def _tell_the_others(ctx: Context, member: int, phone: str) -> None:
    text = ctx.copy.text("other_bound_notice", time=ctx.now, phone=mask_phone(phone))
    for openid in identity.openids_of(ctx.connection, member, ctx.app):
        if openid == ctx.openid:
            continue
        message = outbox.Message(
            key=f"bound:{ctx.message_key}:{openid[-8:]}", kind="notice", topic="security", openid=openid,
            channels=("service", "next_reply"), content={"text": text}, reason="另一个微信绑定了同一会员",
            not_before=ctx.now, expires_at=ctx.now + timedelta(days=30),
        )  # fmt: skip
        outbox.put(ctx.connection, message, now=ctx.now)
        ctx.wake.append("notice")


def unbind(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Say what unbinding means and ask for the exact words."""
    phone = identity.phone_of(ctx.connection, ctx.vault, ctx.member.id)
    _stand(ctx, Flow.UNBIND)
    return Reply(ctx.copy.text("unbind_ask", phone=mask_phone(phone or "")))


def confirm_unbind(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Unbind, if it was asked for a moment ago."""
    if ctx.stand is None or ctx.stand.state != Flow.UNBIND:
        return unbind(inbound, ctx, said)
    identity.unbind(ctx.connection, openid=ctx.openid, app=ctx.app, by=ctx.actor, now=ctx.now)
    conversations.end(ctx.connection, ctx.openid)
    return Reply(ctx.copy.text("unbound"))


def cancel(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Leave the flow."""
    if ctx.stand is None:
        return Reply(ctx.copy.text("nothing_to_cancel"))
    conversations.end(ctx.connection, ctx.openid)
    return Reply(ctx.copy.text("cancelled"))


def _stand(ctx: Context, flow: Flow, *, sealed: bytes | None = None, **data: str) -> None:
    expires = ctx.now + timedelta(minutes=FLOW_MINUTES)
    conversations.put(ctx.connection, ctx.openid, Stand(flow, data, sealed, expires))


def member_code(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Show the short-lived member code, as text and, where we have a public address, as a QR picture."""
    code = short_code(ctx)
    card = identity.card_of(ctx.connection, ctx.member.id)
    shown = ctx.copy.text("member_card", card=" ".join(re.findall(".{1,4}", card))) if card else ""
    text = ctx.copy.text("member_code", code=f"{code[:4]} {code[4:8]} {code[8:]}", card=shown)
    picture = ctx.link("qr", code)
    if not picture:
        return Reply(text)
    head, _, rest = text.partition("\n")
    return Reply(articles=(Article(head, rest, picture, f"{picture}.png"),))


def short_code(ctx: Context) -> str:
    """Return 12 digits that name the member for this and the next minute: id and a keyed check of id and minute."""
    minute = int(ctx.now.timestamp()) // CODE_ROTATES
    proof = int(ctx.vault.blind_index("member code", f"{ctx.member.id}:{minute}")[:12], 16) % 10**5
    return f"{ctx.member.id:07d}{proof:05d}"


def code_names(code: str, ctx: Context) -> int | None:
    """Return the member a short code names, None when it is wrong or older than two minutes."""
    if not code.isdigit() or len(code) != 12:
        return None
    member, now = int(code[:7]), int(ctx.now.timestamp()) // CODE_ROTATES
    for minute in (now, now - 1):
        proof = int(ctx.vault.blind_index("member code", f"{member}:{minute}")[:12], 16) % 10**5
        if hmac.compare_digest(f"{proof:05d}", code[7:]):
            return member
    return None


def tier(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Tell the tier, what it brings, and how far the next one is."""
    shop, loyalty = ctx.rules.shop, ctx.rules.loyalty
    until = business_date(ctx.now, shop.zone, shop.day_start)
    spent = orders.spent(ctx.connection, ctx.member.id, since=until - timedelta(days=365), until=until)
    names = [rule.name for rule in loyalty.tiers]
    place = names.index(ctx.member.tier) if ctx.member.tier in names else 0
    rule = loyalty.tiers[place]
    parts = [ctx.copy.text("tier", tier=rule.name)]
    if rule.earn_multiplier > 1:
        parts.append(ctx.copy.text("tier_rate", rate=f"{rule.earn_multiplier:g}"))
    parts += [f"· {perk}" for perk in rule.perks]
    higher = loyalty.tiers[place + 1 : place + 2]
    if higher:
        gap = max(higher[0].spend_12_months * 100 - spent, 0)
        parts.append(ctx.copy.text("tier_next", spent=yuan(spent), gap=yuan(gap), next=higher[0].name))
    elif place:
        parts.append(ctx.copy.text("tier_top"))
    return Reply("\n".join(parts))


def confirm(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Answer a bare yes: unbinding wants its exact words, nothing else is waiting."""
    if ctx.stand is not None and ctx.stand.state == Flow.UNBIND and ctx.person.member is not None:
        return unbind(inbound, ctx, said)
    return Reply(ctx.copy.text("help_member" if ctx.person.member else "help_stranger"))
