"""The last four digits of a phone, by which a counter finds its customer: a blind index beside the sealed phone.

Without the key a tail says nothing; with it, one of ten thousand. It lives and ends with its phone. The scope is the
member's id, because many members share one tail.
"""

from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, literal_column, select, update

from members import settings
from members.tables import Identity, Member, table
from members.vault import Vault

identities, members = table(Identity), table(Member)
DIGITS = 4
KIND = "tail"
SEEN = "tails:seen"
# literal, or the partial index would not serve
_IS_TAIL = (identities.c.kind == literal_column("'tail'")) & identities.c.ended_at.is_(None)
_MEMBERS = (
    select(identities.c.member_id)
    .select_from(identities.join(members, identities.c.member_id == members.c.id))
    .where(_IS_TAIL, identities.c.value == bindparam("index"), members.c.state == "active")
    .distinct()
    .order_by(identities.c.member_id.desc())
    .limit(bindparam("many"))
)
_KNOWN = select(identities.c.id).where(
    _IS_TAIL, identities.c.scope == bindparam("of"), identities.c.value == bindparam("index")
)
_END = update(identities).where(_IS_TAIL, identities.c.member_id == bindparam("member"))
_tails = identities.alias()
_HAS_ONE = select(_tails.c.id).where(
    _tails.c.member_id == identities.c.member_id, _tails.c.kind == KIND, _tails.c.ended_at.is_(None)
)
_LACKING = (
    select(identities.c.id, identities.c.member_id, identities.c.sealed)
    .select_from(identities.join(members, identities.c.member_id == members.c.id))
    .where(
        identities.c.id > bindparam("after"), identities.c.kind == "phone", identities.c.ended_at.is_(None),
        identities.c.sealed.is_not(None), members.c.state == "active", ~_HAS_ONE.exists(),
    )
    .order_by(identities.c.id)
    .limit(bindparam("many"))
)  # fmt: skip
_NEWEST = select(func.coalesce(func.max(identities.c.id), 0))


def index(vault: Vault, phone: str) -> str:
    """Return the blind index of a phone's (or just its) last four digits."""
    return vault.blind_index(KIND, phone[-DIGITS:])


def add(connection: Connection, vault: Vault, member: int, phone: str, *, source: str, now: datetime) -> bool:
    """Remember the tail of a member's phone; False when it was known."""
    scope, value = str(member), index(vault, phone)
    if connection.execute(_KNOWN, {"of": scope, "index": value}).first() is not None:
        return False
    row = {
        "member_id": member, "kind": KIND, "scope": scope, "value": value, "source": source, "created_at": now,
        "ended_by": "",
    }  # fmt: skip
    connection.execute(insert(identities), row)
    return True


def end(connection: Connection, member: int, *, by: str, now: datetime) -> int:
    """End the tails of a member whose phones have ended; return how many."""
    return connection.execute(_END.values(ended_at=now, ended_by=by), {"member": member}).rowcount


def members_of(connection: Connection, vault: Vault, tail: str, *, many: int) -> list[int]:
    """Return the active members whose phone ends in these four digits, the newest first, `many` at most."""
    return list(connection.scalars(_MEMBERS, {"index": index(vault, tail), "many": many}))


def backfill(connection: Connection, vault: Vault, *, now: datetime, limit: int = 500) -> int:
    """Add the tails of phones that came without one; return how many, zero when all are there.

    How far it has looked is remembered, so that looking again costs nothing.
    """
    after = int((settings.get(connection, SEEN) or {}).get("identity", 0))
    newest = int(connection.execute(_NEWEST).scalar_one())
    found = connection.execute(_LACKING, {"after": after, "many": limit}).all() if newest > after else []
    for row in found:
        phone = vault.unseal(vault.member_key(connection, row.member_id), "phone", row.sealed)
        add(connection, vault, row.member_id, phone, source="backfill", now=now)
    reached = found[-1].id if len(found) == limit else newest
    if reached > after:
        settings.put(connection, SEEN, {"identity": reached})
    return len(found)
