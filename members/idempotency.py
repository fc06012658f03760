"""A write that was asked for once: its key is inserted first, in the transaction of the effect, and keeps the answer.

Whoever comes second with the same key waits for the first transaction to end (PostgreSQL on the unique index, SQLite on
its single writer) and then finds the answer, or, when the first came to nothing, an empty place.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members.errors import MemberError
from members.tables import ApiRequest, table

_requests = table(ApiRequest)
_CLAIM = (
    upsert(_requests)
    .values(
        key_id=bindparam("caller"), key=bindparam("given"), digest=bindparam("content"), route=bindparam("path"),
        at=bindparam("moment"), status=0, answer="",
    )
    .on_conflict_do_nothing(index_elements=[_requests.c.key_id, _requests.c.key])
    .returning(_requests.c.key_id)
)  # fmt: skip
_KNOWN = select(_requests.c.digest, _requests.c.route, _requests.c.status, _requests.c.answer).where(
    _requests.c.key_id == bindparam("caller"), _requests.c.key == bindparam("given")
)
_STORE = (
    update(_requests)
    .where(_requests.c.key_id == bindparam("caller"), _requests.c.key == bindparam("given"))
    .values(status=bindparam("code"), answer=bindparam("words"))
)


@dataclass(frozen=True, slots=True)
class Stored:
    """What the first request was answered."""

    status: int
    answer: str


def claim(connection: Connection, caller: int, key: str, *, route: str, body: str, now: datetime) -> Stored | None:
    """Take a key of a caller for one request; None when it was free, else the answer it already has.

    MemberError('idempotency_conflict') when the key belongs to another route or another body.
    """
    content = hashlib.sha256(body.encode()).hexdigest()
    bound = {"caller": caller, "given": key, "content": content, "path": route, "moment": now}
    if connection.execute(_CLAIM, bound).scalar_one_or_none() is not None:
        return None
    known = connection.execute(_KNOWN, {"caller": caller, "given": key}).one()
    if (known.route, known.digest) != (route, content):
        raise MemberError("idempotency_conflict")
    return Stored(known.status, known.answer)


def store(connection: Connection, caller: int, key: str, stored: Stored) -> None:
    """Keep the answer every repetition gets."""
    bound = {"caller": caller, "given": key, "code": stored.status, "words": stored.answer}
    connection.execute(_STORE, bound)


def forget_before(connection: Connection, moment: datetime) -> int:
    """Delete requests made before `moment`, long past any retry; return how many."""
    return connection.execute(delete(_requests).where(_requests.c.at < moment)).rowcount
