"""A person may always refuse: marketing as a whole, personal selection; and take it back."""

from handlers.context import Context, Reply
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import consent, outbox

PUSHES = ("marketing", "reminder")


def unsubscribe(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Stop all marketing now, also what is already waiting."""
    if ctx.person.member is None:
        return Reply(ctx.copy.text("unsubscribed_stranger"))
    member = ctx.member.id
    already = not consent.may_market(ctx.connection, member)
    if not already:
        subject = consent.of_member(member)
        consent.answer(ctx.connection, subject, consent.MARKETING, False, source="chat", now=ctx.now)
    for kind in PUSHES:
        outbox.cancel(ctx.connection, member, kind=kind, note=ctx.copy.text("reason_unsubscribed"))
    return Reply(ctx.copy.text("unsubscribed_already" if already else "unsubscribed"))


def resubscribe(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Allow marketing again; who never refused is told so and nothing is written."""
    if consent.may_market(ctx.connection, ctx.member.id):
        return Reply(ctx.copy.text("resubscribed_already"))
    subject = consent.of_member(ctx.member.id)
    consent.answer(ctx.connection, subject, consent.MARKETING, True, source="chat", now=ctx.now)
    return Reply(ctx.copy.text("resubscribed"))


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
