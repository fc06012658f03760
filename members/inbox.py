"""One callback, once: the key of a message and the reply every repetition gets."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members.prepared import Prepared, among
from members.tables import Inbox, table

_inbox = table(Inbox)
_ADMIT = Prepared(
    upsert(_inbox)
    .values(
        key=bindparam("key"), openid=bindparam("openid"), kind=bindparam("kind"), received_at=bindparam("received_at"),
        reply=None, incident="",
    )
    .on_conflict_do_nothing(index_elements=[_inbox.c.key])
    .returning(_inbox.c.key)
)  # fmt: skip
_REPLIES = Prepared(select(_inbox.c.key, _inbox.c.reply).where(among(_inbox.c.key, "keys")))
_STORE = Prepared(
    update(_inbox)
    .where(_inbox.c.key == bindparam("which"))
    .values(reply=bindparam("answer"), incident=bindparam("trouble"))
)


def admit(connection: Connection, rows: Sequence[Mapping[str, object]]) -> set[str]:
    """Insert the keys of new messages (key, openid, kind, received_at); return those that are new.

    Sorted by key, so that two processes admitting overlapping batches wait for each other in one order.
    """
    ordered = sorted(rows, key=lambda row: str(row["key"]))
    return {key for (key,) in _ADMIT.rows_together(connection, ordered)}


def replies(connection: Connection, keys: Sequence[str]) -> dict[str, str | None]:
    """Return the stored reply of each known key."""
    return dict(_REPLIES.rows(connection, {"keys": keys}))


def store(connection: Connection, answers: Sequence[tuple[str, str, str]]) -> None:
    """Store (key, reply, incident) of messages just handled."""
    if answers:
        _STORE.many(connection, [{"which": k, "answer": r, "trouble": i} for k, r, i in answers])


def forget_before(connection: Connection, moment: datetime) -> int:
    """Delete callbacks received before `moment`, long past any retry; return how many."""
    return connection.execute(delete(_inbox).where(_inbox.c.received_at < moment)).rowcount
