"""A person may always refuse: all pushes, a kind, a campaign, too many of them, personal selection; and go back."""

from handlers.context import Context, Reply
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import attention as budget
from members import consent, outbox, topics
from members.errors import MemberError

PUSHES = topics.KINDS


def unsubscribe(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Stop everything, one kind, all but one kind, or one campaign, now; also what is already waiting."""
    if ctx.person.member is None:
        return Reply(ctx.copy.text("unsubscribed_stranger"))
    member, note = ctx.member.id, ctx.copy.text("reason_unsubscribed")
    if kind := said.slots.get("only"):
        topics.only(ctx.connection, member, kind, note=note, now=ctx.now)
        return Reply(ctx.copy.text("topic_only", topic=topic_name(ctx, kind)))
    if kind := said.slots.get("topic"):
        new = topics.refuse_kind(ctx.connection, member, kind, note=note, now=ctx.now)
        return Reply(ctx.copy.text("topic_refused" if new else "topic_refused_already", topic=topic_name(ctx, kind)))
    if named := said.slots.get("campaign"):
        campaign = _campaign(ctx, named)
        new = topics.refuse_campaign(ctx.connection, member, campaign, note=note, now=ctx.now)
        return Reply(ctx.copy.text("topic_refused" if new else "topic_refused_already", topic=campaign))
    new = topics.refuse_all(ctx.connection, member, note=note, now=ctx.now)
    return Reply(ctx.copy.text("unsubscribed" if new else "unsubscribed_already"))


def resubscribe(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Allow again what was refused; who never refused is told so and nothing is written."""
    member, note = ctx.member.id, ctx.copy.text("reason_unsubscribed")
    if kind := said.slots.get("topic"):
        new = topics.allow_kind(ctx.connection, member, kind, note=note, now=ctx.now)
        return Reply(ctx.copy.text("topic_allowed" if new else "topic_allowed_already", topic=topic_name(ctx, kind)))
    if named := said.slots.get("campaign"):
        campaign = _campaign(ctx, named)
        new = topics.allow_campaign(ctx.connection, member, campaign, now=ctx.now)
        return Reply(ctx.copy.text("topic_allowed" if new else "topic_allowed_already", topic=campaign))
    if not topics.allow_all(ctx.connection, member, now=ctx.now):
        return Reply(ctx.copy.text("resubscribed_already"))
    still = refused_names(ctx)
    more = "\n" + ctx.copy.text("resubscribed_but", topics=ctx.copy.text("and_list").join(still)) if still else ""
    return Reply(ctx.copy.text("resubscribed") + more)


def _campaign(ctx: Context, named: str) -> str:
    """Return the campaign of this name that the member knows; MemberError('topic_unknown')."""
    for campaign in topics.known_campaigns(ctx.connection, ctx.member.id):
        if campaign.casefold() == named.casefold():
            return campaign
    raise MemberError("topic_unknown", topic=named)


def topic_name(ctx: Context, kind: str) -> str:
    """Return a kind of push as members read it."""
    return ctx.copy.text(f"topic_{kind}")


def refused_names(ctx: Context) -> list[str]:
    """Return what the member has refused besides everything: kinds by their names, campaigns by theirs."""
    refused = sorted(consent.refused_topics(ctx.connection, ctx.member.id) - {consent.MARKETING})
    kinds = {consent.of_kind(kind): topic_name(ctx, kind) for kind in topics.KINDS}
    return [kinds.get(topic) or topic.partition(":")[2] for topic in refused]


def attention(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Set how many pushes in 30 days the member allows, or take the limit away."""
    told = said.slots.get("most", "")
    most = int(told) if told else None
    if most is not None and most > budget.MOST:
        raise MemberError("attention_most", most=budget.MOST)
    budget.put(ctx.connection, ctx.member.id, most, by=ctx.by, now=ctx.now)
    if most is None:
        return Reply(ctx.copy.text("attention_off"))
    return Reply(ctx.copy.text("attention_none" if most == 0 else "attention_set", most=most))


def depersonalise(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Stop choosing offers by the member's purchases; what was chosen so and still waits is withdrawn."""
    if ctx.member.personalised:
        consent.personalise(ctx.connection, ctx.member.id, False, source="chat", now=ctx.now)
    for kind in PUSHES:
        outbox.cancel(ctx.connection, ctx.member.id, kind=kind, note=ctx.copy.text("reason_depersonalised"))
    return Reply(ctx.copy.text("depersonalised"))


def personalise(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Choose offers by the member's purchases again."""
    if not ctx.member.personalised:
        consent.personalise(ctx.connection, ctx.member.id, True, source="chat", now=ctx.now)
    return Reply(ctx.copy.text("personalised"))
