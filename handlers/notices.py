"""Words that reach a member without being asked for, from within a conversation."""

from collections.abc import Mapping

from handlers.context import Context
from members import notices
from members.notices import SECURITY, SERVICE

__all__ = ["SECURITY", "SERVICE", "tell"]


def tell(
    ctx: Context, member: int, text: str, facts: Mapping[str, object], *, channels: tuple[str, ...] = SERVICE
) -> None:
    """Put a notice in the outbox for every openid that speaks for the member, but not for the one who is talking."""
    told = notices.tell(
        ctx.connection, ctx.copy.text, app=ctx.app, member=member, text=text, key=ctx.message_key, facts=facts,
        now=ctx.now, except_openid=ctx.openid, channels=channels,
    )  # fmt: skip
    if told:
        ctx.wake.append("notice")
