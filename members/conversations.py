"""Where a multi-turn flow stands, per openid: written in the message's own transaction, ended by expiry."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete
from sqlalchemy.dialects.postgresql import insert as upsert

from members.tables import Conversation, table

_conversations = table(Conversation)
_PUT = upsert(_conversations)
_PUT = _PUT.on_conflict_do_update(
    index_elements=[_conversations.c.openid],
    set_={name: _PUT.excluded[name] for name in ("state", "data", "sealed", "expires_at")},
)
_TAKE = delete(_conversations).where(
    _conversations.c.openid == bindparam("who"), _conversations.c.state == bindparam("stood"),
    _conversations.c.expires_at == bindparam("until"),
)  # fmt: skip
_END = delete(_conversations).where(_conversations.c.openid == bindparam("who"))


@dataclass(frozen=True, slots=True)
class Stand:
    """The present state of a flow; `sealed` holds what is personal."""

    state: str
    data: dict[str, Any]
    sealed: bytes | None
    expires_at: datetime


def put(connection: Connection, openid: str, stand: Stand) -> None:
    """Remember where the flow stands."""
    row = {"openid": openid, "state": stand.state, "data": stand.data}
    connection.execute(_PUT, row | {"sealed": stand.sealed, "expires_at": stand.expires_at})


def take(connection: Connection, openid: str, stand: Stand) -> bool:
    """End the flow that was read; False when it is another's already: of two messages only one goes on with it."""
    bound = {"who": openid, "stood": stand.state, "until": stand.expires_at}
    return connection.execute(_TAKE, bound).rowcount == 1


def end(connection: Connection, openid: str) -> None:
    """Forget the flow."""
    connection.execute(_END, {"who": openid})
