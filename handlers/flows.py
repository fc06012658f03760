"""The flows of a conversation: where one stands, how one gets in and out.

A flow of staff ends with their next message, whatever it says: that message takes it up, or it is gone.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

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
    EXCHANGE_CHOOSE = "exchange.choose"
    EXCHANGE_AMOUNT = "exchange.amount"
    EXCHANGE_CONFIRM = "exchange.confirm"
    CHOOSE = "choose"
    REORDER = "reorder.confirm"
    BIRTHDAY_ASK = "birthday.ask"
    BIRTHDAY_CONFIRM = "birthday.confirm"
    CHILD_ASK = "child.ask"
    CHILD_CONFIRM = "child.confirm"
    ERASE = "erase.confirm"
    STAFF_ASK = "staff.ask"
    STAFF_CONFIRM = "staff.confirm"


OF_STAFF = frozenset((Flow.STAFF_ASK, Flow.STAFF_CONFIRM))


class Purpose(StrEnum):
    """What an SMS code proves: a phone to bind, the present one before a change or 注销, the new one, that of staff."""

    BIND = "bind"
    PROVE = "prove"
    CHANGE = "change"
    STAFF = "staff"
    ERASE = "erase"


def wait_for(
    ctx: Context, flow: Flow, *, minutes: int = FLOW_MINUTES, sealed: bytes | None = None, **data: str
) -> None:
    """Wait for the person's next word in this flow; any other question may come in between."""
    expires = ctx.now + timedelta(minutes=minutes)
    conversations.put(ctx.connection, ctx.openid, Stand(flow, data, sealed, expires))


def wait_with(
    ctx: Context, flow: Flow, data: Mapping[str, Any], *, minutes: int, sealed: bytes | None = None
) -> None:  # fmt: skip
    """Wait like `wait_for`, remembering more than texts: whatever JSON holds, but nothing personal."""
    conversations.put(ctx.connection, ctx.openid, Stand(flow, dict(data), sealed, ctx.now + timedelta(minutes=minutes)))


def take_up(ctx: Context) -> None:
    """End the staff flow this message finds; it is the context's to go on with, unless another message was faster."""
    stand = ctx.stand
    if stand is not None and stand.state in OF_STAFF and conversations.take(ctx.connection, ctx.openid, stand):
        ctx.flow = stand


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
