"""Who the member is at the till: the member code and the tier."""

import re
from datetime import timedelta

from handlers.context import Article, Context, Reply
from handlers.copy import yuan
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import identity, outlook, perks, plans, tiers
from members import member_code as codes
from members.standing import YEAR, span_words


def member_code(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Show the short-lived member code, as text and, where we have a public address, as a QR picture."""
    code = codes.make(ctx.vault, ctx.member.id, ctx.now)
    card = identity.card_of(ctx.connection, ctx.member.id)
    shown = "\n" + ctx.copy.text("member_card", card=" ".join(re.findall(".{1,4}", card))) if card else ""
    text = ctx.copy.text("member_code", code=f"{code[:4]} {code[4:8]} {code[8:]}", card=shown)
    picture = ctx.link("qr", code)
    if not picture:
        return Reply(text)
    head, _, rest = text.partition("\n")
    return Reply(articles=(Article(head, rest, picture, f"{picture}.png"),))


def tier(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Tell the tier and why, until when, what it brings and how far the next one is; then the plan that was bought."""
    known, connection = ctx.member.id, ctx.connection
    look = outlook.of(connection, ctx.rules, known, ctx.now)
    parts = [ctx.copy.text("tier", tier=look.rule.name)]
    parts += [ctx.copy.text("tier_why", reason=look.why)] if look.why else []
    if look.grace is not None:
        parts.append(ctx.copy.text("tier_grace", missing=look.grace.missing, last=tiers.day_words(look.grace.last)))
    elif look.until is not None:
        parts.append(ctx.copy.text("tier_until", until=tiers.day_words(look.until)))
    parts += [perk_line(ctx, perk) for perk in perks.of(connection, ctx.rules, known, ctx.now)]
    parts += _next(ctx, look)
    plan = plans.plan_of(connection, known, ctx.now)
    if plan is not None:
        last = ctx.copy.day(plan.until - timedelta(seconds=1))
        parts.append(ctx.copy.text("tier_plan", plan=plan.name, until=last))
    return Reply("\n".join(parts))


def perk_line(ctx: Context, perk: perks.Perk) -> str:
    """Return a perk and how often it is left this month."""
    if perk.left is None:
        return ctx.copy.text("perk", name=perk.name)
    return ctx.copy.text("perk_left" if perk.left else "perk_used", name=perk.name, left=perk.left)


def _next(ctx: Context, look: outlook.Outlook) -> list[str]:
    """Say how far the next tier is: in one sentence where it only asks for a year's spending."""
    if look.higher is None:
        return [ctx.copy.text("tier_top")] if look.rule is not ctx.rules.loyalty.tiers[0] else []
    name, first = look.higher.name, look.missing[0]
    if len(look.missing) == 1 and first.demand.kind == "spend" and first.demand.within == YEAR:
        key = "tier_next" if first.gap else "tier_soon"
        return [ctx.copy.text(key, spent=yuan(first.there), gap=yuan(first.gap), next=name)]
    gaps = [_gap(ctx, missing) for missing in look.missing if missing.gap]
    key = "tier_next_all" if gaps else "tier_soon_all"
    return [ctx.copy.text(key, gaps=ctx.copy.text("and_list").join(gaps), next=name)]


def _gap(ctx: Context, missing: outlook.Missing) -> str:
    within = span_words(missing.demand.within)
    gap = yuan(missing.gap) if missing.demand.kind == "spend" else missing.gap
    return ctx.copy.text(f"tier_gap_{missing.demand.kind}", within=within, gap=gap)
