"""The two turns every flow of staff takes: an answer to what was asked, and 确认."""

from handlers.context import Context, Reply
from handlers.flows import Flow
from handlers.inbound import Inbound
from handlers.staff import counter, errands, lookup, managing
from handlers.understanding import Understood

COMMANDS = {**errands.COMMANDS, **lookup.COMMANDS}


def answer(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Fill the slot the bot asked for and go on."""
    return counter.go_on(ctx, said, COMMANDS)


def confirm(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Do what was echoed, once: the flow ended with this message, so that a second 确认 finds nothing."""
    stand = ctx.flow
    if stand is None or stand.state != Flow.STAFF_CONFIRM:
        return Reply(ctx.copy.text("staff_nothing_waits"))
    return managing.DO[str(stand.data["do"])](ctx, stand.data)
