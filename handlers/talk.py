"""Small talk: help, greeting, thanks, and a useful answer to what was not understood."""

from handlers.context import Context, Handler, Reply
from handlers.inbound import Inbound
from handlers.understanding import Understood


def say(member: str, stranger: str | None = None) -> Handler:
    """Return a handler that says one text, to strangers perhaps another."""

    def handler(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
        return Reply(ctx.copy.text(member if ctx.person.member or stranger is None else stranger))

    return handler
