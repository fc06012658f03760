"""Who the member is at the till: the member code and the tier."""

import hmac
import re
from datetime import timedelta

from handlers.context import Article, Context, Reply
from handlers.copy import yuan
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import identity, orders
from members.clock import business_date

CODE_ROTATES = 60


def member_code(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Show the short-lived member code, as text and, where we have a public address, as a QR picture."""
    code = short_code(ctx)
    card = identity.card_of(ctx.connection, ctx.member.id)
    shown = "\n" + ctx.copy.text("member_card", card=" ".join(re.findall(".{1,4}", card))) if card else ""
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
    if not (code.isascii() and code.isdecimal()) or len(code) != 12:
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
    parts += [f"· {perk.name}" for perk in rule.perks]
    higher = loyalty.tiers[place + 1 : place + 2]
    if higher:
        gap, name = higher[0].spend_12_months * 100 - spent, higher[0].name
        key = "tier_next" if gap > 0 else "tier_soon"
        parts.append(ctx.copy.text(key, spent=yuan(spent), gap=yuan(gap), next=name))
    elif place:
        parts.append(ctx.copy.text("tier_top"))
    return Reply("\n".join(parts))
