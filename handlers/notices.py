"""Words that reach a member without being asked for: something was just done with what is theirs."""

from collections.abc import Mapping
from datetime import timedelta

from handlers.context import Context
from members import identity, outbox

SERVICE = ("service", "template", "next_reply")
SECURITY = ("service", "next_reply")
KEPT_DAYS = {SERVICE: 7, SECURITY: 30}


def tell(
    ctx: Context, member: int, text: str, facts: Mapping[str, object], *, channels: tuple[str, ...] = SERVICE
) -> None:
    """Put a notice in the outbox for every openid that speaks for the member, but not for the one who is talking."""
    for openid in identity.openids_of(ctx.connection, member, ctx.app):
        if openid == ctx.openid:
            continue
        message = outbox.Message(
            key=f"{text}:{ctx.message_key}:{openid}", kind="notice", topic=text, member=member, openid=openid,
            channels=channels,
            content={"text": ctx.copy.text(text, **facts)}, reason=ctx.copy.text(f"reason_{text}"),
            not_before=ctx.now, expires_at=ctx.now + timedelta(days=KEPT_DAYS[channels]),
        )  # fmt: skip
        outbox.put(ctx.connection, message, now=ctx.now)
        ctx.wake.append("notice")
