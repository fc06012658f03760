"""Words that reach a member without being asked for: something was just done with what is theirs."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from members import identity, outbox

Say = Callable[..., str]
"""Turns the key of a text and its facts into words; the conversation's copy is one."""
SERVICE = ("service", "template", "next_reply")
SECURITY = ("service", "next_reply")
KEPT_DAYS = {SERVICE: 7, SECURITY: 30}


def tell(
    connection: Connection, say: Say, *, app: str, member: int, text: str, key: str, facts: Mapping[str, object],
    now: datetime, except_openid: str = "", channels: tuple[str, ...] = SERVICE,
) -> int:  # fmt: skip
    """Put a notice in the outbox for every openid of the member, once per `key`; return how many are new."""
    told = 0
    for openid in identity.openids_of(connection, member, app):
        if openid == except_openid:
            continue
        message = outbox.Message(
            key=f"{text}:{key}:{openid}", kind="notice", topic=text, member=member, openid=openid, channels=channels,
            content={"text": say(text, **facts)}, reason=say(f"reason_{text}"), not_before=now,
            expires_at=now + timedelta(days=KEPT_DAYS[channels]),
        )  # fmt: skip
        told += outbox.put(connection, message, now=now) is not None
    return told


def tell_openid(
    connection: Connection, say: Say, *, openid: str, text: str, key: str, facts: Mapping[str, object], now: datetime,
    channels: tuple[str, ...] = SECURITY,
) -> bool:  # fmt: skip
    """Put a notice in the outbox for one openid, a person of staff for instance; return whether it is new."""
    message = outbox.Message(
        key=f"{text}:{key}:{openid}", kind="notice", topic=text, openid=openid, channels=channels,
        content={"text": say(text, **facts)}, reason=say(f"reason_{text}"), not_before=now,
        expires_at=now + timedelta(days=KEPT_DAYS[channels]),
    )  # fmt: skip
    return outbox.put(connection, message, now=now) is not None
