"""导出: everything we hold, under a link of the member's own that soon ends."""

from handlers.context import Context, Reply
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import export_links

PATH = "export"


def export(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Give a link, once an hour; where we have no public address, say who can hand the data over."""
    if not ctx.link(PATH, "x"):
        return Reply(ctx.copy.text("export_no_address"))
    token, until = export_links.make_link(ctx.connection, ctx.rules, ctx.member.id, by=ctx.by, now=ctx.now)
    facts = {"link": ctx.link(PATH, token), "hours": ctx.rules.privacy.export_hours, "until": until}
    return Reply(ctx.copy.text("export_link", **facts))
