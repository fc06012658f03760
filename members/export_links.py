"""The link under which a member fetches their data: unguessable, soon over; only its hash is kept."""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from members import audit, limits
from members.audit import Actor
from members.rules import Rules
from members.tables import ExportLink, Inbox, Member, table

TOKEN_BYTES = 32
APART_SECONDS = 3600
ANSWERED = timedelta(hours=1)
members, links, inbox = table(Member), table(ExportLink), table(Inbox)

_OPEN = (
    update(links)
    .where(
        links.c.token_hash == bindparam("hashed"), links.c.expires_at > bindparam("moment"),
        links.c.fetched < bindparam("most"),
    )
    .values(fetched=links.c.fetched + 1)
    .returning(links.c.member_id)
)  # fmt: skip


def make_link(connection: Connection, rules: Rules, member: int, *, by: Actor, now: datetime) -> tuple[str, datetime]:
    """Return (the token of a new link, when it ends), once an hour: MemberError export_wait; earlier links end now.

    The token has 256 random bits and is kept only as its SHA-256.
    """
    limits.cool_down(connection, f"export:{member}", APART_SECONDS, now=now, refusal="export_wait")
    connection.execute(delete(links).where(links.c.member_id == member))
    token, until = secrets.token_urlsafe(TOKEN_BYTES), now + timedelta(hours=rules.privacy.export_hours)
    row = {"token_hash": _hash(token), "member_id": member, "created_at": now, "expires_at": until, "fetched": 0}
    connection.execute(insert(links), row)
    audit.write(connection, by, "member.export", member, {"until": until.isoformat()}, now=now)
    return token, until


def open_link(connection: Connection, token: str, *, most: int, now: datetime) -> int | None:
    """Count one opening of a link; return whose it is, None when it is unknown, has ended or was opened too often."""
    bound = {"hashed": _hash(token), "moment": now, "most": most}
    member = connection.execute(_OPEN, bound).scalar_one_or_none()
    if member is None:
        return None
    state = connection.execute(select(members.c.state).where(members.c.id == member)).scalar_one()
    if state != "active":
        return None
    audit.write(connection, Actor(f"member:{member}", None, "link"), "member.export_opened", member, {}, now=now)
    return int(member)


def forget_links(connection: Connection, now: datetime) -> int:
    """Delete links that have ended; return how many. Stored replies lose theirs once no repetition can ask for them."""
    told = inbox.c.reply.like("%/export/%") & (inbox.c.received_at <= now - ANSWERED)
    connection.execute(update(inbox).where(told).values(reply=""))
    return connection.execute(delete(links).where(links.c.expires_at <= now)).rowcount


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
