"""How a member came to be who they are: every identity ever, begun and ended, and every merge, of all who are one."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, select

from members import tails
from members.tables import Identity, MemberKey, table
from members.tables import Merge as MergeRow
from members.vault import Vault, mask_phone

identities, merges, keys = table(Identity), table(MergeRow), table(MemberKey)

_PART_OF = (
    select(merges.c.source_id)
    .where(merges.c.target_id == bindparam("member"), merges.c.undone_at.is_(None))
    .order_by(merges.c.source_id)
)
_EVER = (
    select(identities)
    .where(identities.c.member_id.in_(bindparam("of", expanding=True)), identities.c.kind != tails.KIND)
    .order_by(identities.c.created_at, identities.c.id)
)
_MERGES = (
    select(merges)
    .where(
        merges.c.source_id.in_(bindparam("of", expanding=True))
        | merges.c.target_id.in_(bindparam("of", expanding=True))
    )
    .order_by(merges.c.id)
)
_HAS_KEY = select(keys.c.member_id).where(keys.c.member_id.in_(bindparam("of", expanding=True)))


@dataclass(frozen=True, slots=True)
class Known:
    """One tie between an identity and a member: a phone masked, everything else as it is."""

    member: int
    kind: str
    scope: str
    value: str
    source: str
    since: datetime
    until: datetime | None
    ended_by: str


@dataclass(frozen=True, slots=True)
class Joined:
    """One merge of `source` into `target`, and when and by whom it was undone."""

    id: int
    source: int
    target: int
    at: datetime
    by: str
    reason: str
    undone_at: datetime | None
    undone_by: str


@dataclass(frozen=True, slots=True)
class History:
    """All ties and merges, oldest first, of the members who are one today."""

    members: list[int]
    identities: list[Known]
    merges: list[Joined]


def family(connection: Connection, member: int) -> list[int]:
    """Return the member and all who are part of them by merges that hold."""
    found = [member]
    for one in found:
        found += [other for other in connection.scalars(_PART_OF, {"member": one}) if other not in found]
    return found


def of_member(connection: Connection, vault: Vault, member: int) -> History:
    """Return the history of a member and of those merged into them."""
    everyone = family(connection, member)
    rows = connection.execute(_EVER, {"of": everyone}).all()
    have = set(connection.scalars(_HAS_KEY, {"of": everyone}))
    opened = {one: vault.member_key(connection, one) for one in everyone if one in have}
    ties = [
        Known(
            row.member_id, row.kind, row.scope, _shown(vault, opened.get(row.member_id), row), row.source,
            row.created_at, row.ended_at, row.ended_by,
        )
        for row in rows
    ]  # fmt: skip
    joined = [
        Joined(row.id, row.source_id, row.target_id, row.at, row.by, row.reason, row.undone_at, row.undone_by)
        for row in connection.execute(_MERGES, {"of": everyone})
    ]
    return History(everyone, ties, joined)


def phones_of(connection: Connection, vault: Vault, member: int) -> list[str]:
    """Return the member's active phones in E.164, the oldest first."""
    key = vault.member_key(connection, member)
    active = [row for row in connection.execute(_EVER, {"of": [member]}) if row.kind == "phone" and not row.ended_at]
    return [vault.unseal(key, "phone", row.sealed) for row in active if row.sealed is not None]


def _shown(vault: Vault, key: bytes | None, row: Row[object]) -> str:
    if row.kind != "phone":
        return str(row.value)
    return "" if key is None or row.sealed is None else mask_phone(vault.unseal(key, "phone", row.sealed))
