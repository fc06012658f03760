"""Somebody stops following, or takes their authorisation back: what we know of them from WeChat goes.

"Unsubscribe: the platform requires the user's WeChat-derived information to be deleted." What they own stays under the
phone. The tie of openid and member ends like every identity: it stays as a closed record of who spoke for whom, on
which the guards against fraud rest, and nothing is sent or answered by it any more.
"""

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, update

from members import audit, consent, conversations, identity, people, verification
from members.audit import Actor
from members.tables import Arrival, Consent, Handoff, Identity, Outbox, table

LEFT = "unfollow"
_arrivals, _handoffs, _outbox = table(Arrival), table(Handoff), table(Outbox)
_consents, _identities = table(Consent), table(Identity)
_WAS_HERE = (
    select(_identities.c.ended_by)
    .where(
        _identities.c.kind == "openid", _identities.c.scope == bindparam("app"),
        _identities.c.value == bindparam("who"),
    )
    .order_by(_identities.c.id.desc())
    .limit(1)
)  # fmt: skip


def leave(
    connection: Connection, openid: str, member: int | None, *, app: str, by: Actor, note: str, now: datetime
) -> None:
    """Delete what came from WeChat: follower, flow, code, consents, messages on their way, and the openid elsewhere."""
    verification.cancel(connection, openid)
    conversations.end(connection, openid)
    people.unfollow(connection, openid)
    if identity.unbind(connection, openid=openid, app=app, by=LEFT, now=now):
        audit.write(connection, by, "identity.unbind", member, {"why": LEFT}, now=now)
    connection.execute(update(_arrivals).where(_arrivals.c.openid == openid).values(openid=None))
    open_ = (_handoffs.c.openid == openid) & _handoffs.c.ended_at.is_(None)
    connection.execute(update(_handoffs).where(open_).values(ended_at=now, ended_by="member"))
    connection.execute(update(_handoffs).where(_handoffs.c.openid == openid).values(openid=None))
    connection.execute(delete(_consents).where(_consents.c.subject == consent.of_openid(openid)))
    _messages(connection, openid, note)


def _messages(connection: Connection, openid: str, note: str) -> None:
    theirs = _outbox.c.openid == openid
    cancelled = {"state": "cancelled", "note": note, "sealed": None, "lease_until": None}
    connection.execute(update(_outbox).where(theirs, _outbox.c.state == "pending").values(cancelled))
    closed = theirs & _outbox.c.member_id.is_not(None) & _outbox.c.state.not_in(("pending", "claimed"))
    connection.execute(update(_outbox).where(closed).values(openid=None))


def has_left_before(connection: Connection, openid: str, app: str) -> bool:
    """Tell whether somebody who follows was a member here until they stopped following."""
    return connection.execute(_WAS_HERE, {"who": openid, "app": app}).scalar_one_or_none() == LEFT
