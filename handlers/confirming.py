"""What a 确认 means: it goes to the flow that waits for it, and anywhere else it is a bare yes."""

from collections.abc import Mapping
from types import MappingProxyType

from handlers import exchange, leaving, profile, reordering
from handlers.context import Context, Handler, Reply
from handlers.flows import Flow
from handlers.inbound import Inbound
from handlers.understanding import Understood

WAITING: Mapping[str, Handler] = MappingProxyType(
    {
        Flow.REORDER: reordering.confirm,
        Flow.BIRTHDAY_CONFIRM: profile.confirm_birthday,
        Flow.CHILD_CONFIRM: profile.confirm_child,
        Flow.ERASE: leaving.insist,
    }
)


def confirm(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Hand a 确认 to whatever waits for it."""
    handler = exchange.confirm if ctx.stand is None else WAITING.get(ctx.stand.state, exchange.confirm)
    return handler(inbound, ctx, said)
