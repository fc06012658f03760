"""Small talk: help, greeting, thanks, and a useful answer to what was not understood."""

from handlers.context import Context, Handler, Reply
from handlers.inbound import Inbound
from handlers.understanding import Understood


def say(member: str, stranger: str | None = None) -> Handler:
    """Return a handler that says one text, to strangers perhaps another."""

    def handler(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
        return Reply(ctx.copy.text(member if ctx.person.member or stranger is None else stranger))

    return handler


def stores(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """List the stores."""
    rules = ctx.rules.shop.stores
    if not rules:
        return Reply(ctx.copy.text("stores_none"))
    lines = [
        ctx.copy.text("store_line", name=rule.name, address=rule.address, hours=rule.hours, phone=rule.phone).strip()
        for rule in rules
    ]
    return Reply("\n".join([ctx.copy.text("stores"), *lines]))
