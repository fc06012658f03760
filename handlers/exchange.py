"""Points into rewards and into what partners keep: shown, chosen, said once more, done at 确认. And the statement."""

from collections.abc import Mapping, Sequence
from typing import Any

from handlers import binding, flows, naming
from handlers.context import Context, Reply
from handlers.copy import yuan
from handlers.flows import FLOW_MINUTES, Flow
from handlers.grammar import SURE
from handlers.inbound import Inbound
from handlers.understanding import Understood
from handlers.value import last_day
from members import conversations, coupons, ledger, statements
from members import exchange as books
from members.audit import Actor
from members.errors import MemberError
from members.rules import PartnerRule, RewardRule

SHOWN = 8
Option = Mapping[str, Any]


def redeem_points(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """List what the points reach and ask which; say how far the nearest is when they reach nothing."""
    offered = _offered(ctx)
    if not offered:
        return Reply(ctx.copy.text("exchange_none"))
    owned, _ = ledger.good_points(ctx.connection, ctx.member.id, ctx.now)
    if (named := _named(ctx, offered, said.slots.get("name") or inbound.text, owned)) is not None:
        return named
    reached = [option for option in offered if option["cost"] <= owned][:SHOWN]
    if not reached:
        nearest = offered[0]
        facts = {"points": f"{owned:,}", "title": nearest["title"], "gap": f"{nearest['cost'] - owned:,}"}
        return Reply(ctx.copy.text("exchange_short", **facts))
    if len(reached) == 1:
        return _chosen(ctx, reached[0])
    flows.wait_with(ctx, Flow.EXCHANGE_CHOOSE, {"options": reached}, minutes=FLOW_MINUTES)
    lines = [_line(ctx, number, option) for number, option in enumerate(reached, 1)]
    return Reply("\n".join([ctx.copy.text("exchange", points=f"{owned:,}"), *lines, ctx.copy.text("exchange_which")]))


def _named(ctx: Context, offered: Sequence[Option], text: str, owned: int) -> Reply | None:
    """Go on with the one that a line calls by name; ask where several, or one nearly, are called so; None for none."""
    which = naming.named([[str(option["title"])] for option in offered], text)
    found = [offered[place] for place in (which.sure or which.nearly)][:SHOWN]
    if len(found) == 1 and which.sure:
        return _chosen(ctx, found[0]) if found[0]["cost"] <= owned else _far(ctx, found[0], owned)
    if not found:
        return None
    flows.wait_with(ctx, Flow.EXCHANGE_CHOOSE, {"options": found}, minutes=FLOW_MINUTES)
    lines = [_line(ctx, number, option) for number, option in enumerate(found, 1)]
    head = ctx.copy.text("exchange", points=f"{owned:,}") if which.sure else ctx.copy.text("exchange_nearly")
    return Reply("\n".join([head, *lines, *([ctx.copy.text("exchange_which")] if which.sure else [])]))


def _far(ctx: Context, option: Option, owned: int) -> Reply:
    cost = int(option["cost"])
    facts = {"title": option["title"], "cost": f"{cost:,}", "points": f"{owned:,}", "gap": f"{cost - owned:,}"}
    return Reply(ctx.copy.text("exchange_far", **facts))


def _offered(ctx: Context) -> Sequence[Option]:
    """Return every reward and partner of the shop, the cheapest first."""
    loyalty, titles = ctx.rules.loyalty, ctx.rules.coupons
    found: list[Option] = [
        {"reward": rule.coupon, "title": titles[rule.coupon].title, "cost": rule.points} for rule in loyalty.reward
    ]
    found += [
        {"partner": name, "title": rule.title, "cost": books.least(rule)} for name, rule in loyalty.partners.items()
    ]
    return sorted(found, key=lambda option: option["cost"])


def _line(ctx: Context, number: int, option: Option) -> str:
    if "reward" in option:
        return ctx.copy.text("exchange_reward", no=number, title=option["title"], cost=f"{option['cost']:,}")
    rule = ctx.rules.loyalty.partners[option["partner"]]
    return ctx.copy.text("exchange_partner", no=number, title=rule.title, rate=_rate(ctx, rule))


def _rate(ctx: Context, rule: PartnerRule) -> str:
    return ctx.copy.text("exchange_rate", points=f"{rule.points:,}", units=f"{rule.units:,}", unit=rule.unit)


def answer(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Take the number that was chosen from the list, or the points that were asked for."""
    stand, number = ctx.stand, int(said.slots.get("number", "0"))
    if stand is not None and stand.state == Flow.EXCHANGE_AMOUNT:
        return _amount(ctx, stand.data, number)
    options = stand.data.get("options", []) if stand is not None else []
    if not 1 <= number <= len(options):
        raise MemberError("exchange_choice", most=len(options))
    return _chosen(ctx, options[number - 1])


def _chosen(ctx: Context, option: Option) -> Reply:
    """Say a reward once more; ask how many points for a partner."""
    if "reward" in option:
        facts = {"points": f"{option['cost']:,}", "title": option["title"]}
        return _echo(ctx, {**option, "points": option["cost"]}, ctx.copy.text("exchange_echo", **facts))
    rule = _partner(ctx, option)
    owned, _ = ledger.good_points(ctx.connection, ctx.member.id, ctx.now)
    flows.wait_with(ctx, Flow.EXCHANGE_AMOUNT, option, minutes=FLOW_MINUTES)
    facts = {"title": rule.title, "rate": _rate(ctx, rule), "most": f"{owned // rule.points * rule.points:,}"}
    return Reply(ctx.copy.text("exchange_amount", **facts))


def _amount(ctx: Context, option: Option, points: int) -> Reply:
    rule = _partner(ctx, option)
    if points < books.least(rule) or points % rule.points:
        raise MemberError("partner_least", title=rule.title, least=books.least(rule), unit=rule.points)
    owned, _ = ledger.good_points(ctx.connection, ctx.member.id, ctx.now)
    if points > owned:
        raise MemberError("exchange_insufficient", points=f"{owned:,}")
    got = f"{points // rule.points * rule.units:,}{rule.unit}"
    facts = {"points": f"{points:,}", "title": rule.title, "got": got}
    return _echo(ctx, {**option, "points": points}, ctx.copy.text("exchange_echo_partner", **facts))


def _echo(ctx: Context, option: Option, words: str) -> Reply:
    """Wait for 确认; the key of this very message is what makes the exchange happen once."""
    flows.wait_with(ctx, Flow.EXCHANGE_CONFIRM, {**option, "key": ctx.message_key}, minutes=FLOW_MINUTES)
    return Reply(words)


def confirm(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Do what was said once more, if this message is the first to confirm it; else answer as any other 确认."""
    stand = ctx.stand
    if stand is None or stand.state != Flow.EXCHANGE_CONFIRM or ctx.person.member is None or said.confidence < SURE:
        return binding.confirm(inbound, ctx, said)
    if not conversations.take(ctx.connection, ctx.openid, stand):
        return binding.confirm(inbound, ctx, said)
    by, key = Actor(f"member:{ctx.member.id}", None, ctx.by.origin), f"exchange:{stand.data['key']}"
    return _reward(ctx, stand.data, key, by) if "reward" in stand.data else _units(ctx, stand.data, key, by)


def _reward(ctx: Context, option: Option, key: str, by: Actor) -> Reply:
    rule = _still(ctx, option)
    issued = books.reward(ctx.connection, ctx.rules, ctx.member.id, rule, key=key, by=by, now=ctx.now)
    facts = {
        "title": issued.title, "code": coupons.spell(issued.code), "until": last_day(ctx, issued.expires_at),
        "points": f"{rule.points:,}", "left": _left(ctx),
    }  # fmt: skip
    return Reply(ctx.copy.text("exchanged", **facts))


def _units(ctx: Context, option: Option, key: str, by: Actor) -> Reply:
    rule = _partner(ctx, option)
    done = books.partner(
        ctx.connection, ctx.rules, ctx.member.id, option["partner"], option["points"], key=key, by=by, now=ctx.now
    )
    got = f"{done.units:,}{rule.unit}"
    facts = {"points": f"{done.points:,}", "title": rule.title, "got": got, "left": _left(ctx)}
    return Reply(ctx.copy.text("exchanged_partner", **facts))


def _still(ctx: Context, option: Option) -> RewardRule:
    """Return the reward that was shown, if it still costs that."""
    for rule in ctx.rules.loyalty.reward:
        if (rule.coupon, rule.points) == (option["reward"], option["cost"]):
            return rule
    raise MemberError("exchange_changed")


def _partner(ctx: Context, option: Option) -> PartnerRule:
    rule = ctx.rules.loyalty.partners.get(option["partner"])
    if rule is None:
        raise MemberError("exchange_changed")
    return rule


def _left(ctx: Context) -> str:
    return f"{ledger.good_points(ctx.connection, ctx.member.id, ctx.now)[0]:,}"


def statement(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Tell the balances, how many lines led there, and the last link of the chain to compare with a statement's."""
    found = statements.summary(ctx.connection, ctx.member.id)
    owned = found.balances
    facts = {
        "member": ctx.member.id, "points": f"{owned.get('points', 0):,}", "principal": yuan(owned.get("principal", 0)),
        "gift": yuan(owned.get("gift", 0)), "entries": f"{found.entries:,}", "head": statements.short(found.head),
    }  # fmt: skip
    parts = [ctx.copy.text("statement", **facts)]
    for name in ("pending", "owed"):
        if owned.get(name):
            parts.insert(1, ctx.copy.text(f"statement_{name}", points=f"{abs(owned[name]):,}"))
    file = [ctx.copy.text("statement_file")] if ctx.link("export", "x") else []
    return Reply("\n".join([*parts, ctx.copy.text("statement_how"), *file]))
