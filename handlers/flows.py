"""The flows of a conversation: where one stands, how one gets in and out."""

from datetime import timedelta
from enum import StrEnum

from handlers.context import Context
from members import conversations
from members.conversations import Stand

FLOW_MINUTES = 10


class Flow(StrEnum):
    """What the bot is waiting for."""

    ASK_PHONE = "bind.phone"
    ASK_CODE = "bind.code"
    ASK_NEW_PHONE = "change.phone"
    UNBIND = "unbind.confirm"


class Purpose(StrEnum):
    """What an SMS code proves: a phone to bind, the present phone before a change, the new phone."""

    BIND = "bind"
    PROVE = "prove"
    CHANGE = "change"


def wait_for(
    ctx: Context, flow: Flow, *, minutes: int = FLOW_MINUTES, sealed: bytes | None = None, **data: str
) -> None:
    """Wait for the person's next word in this flow; any other question may come in between."""
    expires = ctx.now + timedelta(minutes=minutes)
    conversations.put(ctx.connection, ctx.openid, Stand(flow, data, sealed, expires))


def leave(ctx: Context) -> None:
    """Forget the flow."""
    conversations.end(ctx.connection, ctx.openid)


def standing(ctx: Context, flow: Flow) -> bool:
    """Tell whether the person is in this flow."""
    return ctx.stand is not None and ctx.stand.state == flow


def purpose(ctx: Context) -> Purpose | None:
    """Return what the awaited code is for, None when none is awaited."""
    if ctx.stand is None or ctx.stand.state != Flow.ASK_CODE:
        return None
    return Purpose(str(ctx.stand.data.get("purpose", Purpose.BIND)))
