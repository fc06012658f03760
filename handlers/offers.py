"""Personal offers spoken of: why this one, and what might be needed next."""

from handlers.context import Context, Reply
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import decisions
from members.clock import business_date
from recommend import features, frequency

SHOWN = 5


def why(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Answer from the stored reason of the newest decision."""
    found = decisions.latest(ctx.connection, ctx.member.id)
    if not found:
        return Reply(ctx.copy.text("why_none"))
    newest = found[0]
    return Reply(
        ctx.copy.text(
            "why", offer=newest.title or newest.campaign, reason=newest.reason.rstrip("。"),
            date=ctx.copy.day(newest.at), campaign=newest.campaign,
        )
    )  # fmt: skip


def recommend(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Name what the member buys most, recent purchases weighing more; nothing personal to who refused that."""
    if not ctx.member.personalised:
        return Reply(ctx.copy.text("recommend_plain"))
    zone, rules = ctx.rules.shop.zone, ctx.recommend
    names = features.category_names(ctx.connection)
    excluded = features.excluded_codes(rules, names)
    found = features.read(ctx.connection, [ctx.member.id], now=ctx.now, zone=zone, rules=rules, without=excluded)
    today = business_date(ctx.now, zone)
    habits = [habit for _, bought in found for habit in frequency.rank(bought, today, rules)][:SHOWN]
    if not habits:
        return Reply(ctx.copy.text("recommend_none"))
    lines = [ctx.copy.text("recommend_line", name=names[habit.item], reason=habit.explain()) for habit in habits]
    return Reply("\n".join([ctx.copy.text("recommend"), *lines]))
