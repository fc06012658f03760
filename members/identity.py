"""Who is who: members, the ways they are known, and what binding and unbinding do to them.

Decisions (docs/identity.md): one phone belongs to one member; a member may speak from several openids (up to
`openids_per_member`), each bound by its own SMS proof; nothing is ever deleted, an identity only ends. Whatever counts
or replaces a member's identities locks the member first, so that two conversations can't both be the last allowed one.
"""

import secrets
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from members import tails
from members.errors import MemberError
from members.tables import Identity, Member, Order, table
from members.vault import Vault

members, identities, orders = table(Member), table(Identity), table(Order)

_ACTIVE = (
    select(identities.c.member_id)
    .where(
        identities.c.kind == bindparam("k"),
        identities.c.scope == bindparam("s"),
        identities.c.value == bindparam("v"),
        identities.c.ended_at.is_(None),
    )
    .limit(1)
)
_OF_MEMBER = (
    select(identities.c.id, identities.c.kind, identities.c.scope, identities.c.value, identities.c.sealed)
    .where(identities.c.member_id == bindparam("member"), identities.c.ended_at.is_(None))
    .order_by(identities.c.id)
)
_LOCK = select(members.c.state).where(members.c.id == bindparam("member")).with_for_update()
_END = update(identities).where(identities.c.id == bindparam("identity"), identities.c.ended_at.is_(None))


def create(connection: Connection, vault: Vault, *, tier: str, now: datetime) -> tuple[int, bytes]:
    """Create a member with a fresh data key and a card number; return the id and the key."""
    row = {"created_at": now, "state": "active", "tier": tier, "personalised": True, "chain_seq": 0, "chain_hash": b""}
    member = int(connection.execute(insert(members).returning(members.c.id), row).scalar_one())
    key = vault.create_member_keys(connection, [member])[member]
    add(connection, member, "card", "", card_number(), source="issued", now=now)
    return member, key


def card_number() -> str:
    """Return a new card number: 15 random digits and their Luhn check digit (ISO/IEC 7812)."""
    digits = "8" + "".join(str(secrets.randbelow(10)) for _ in range(14))
    return digits + luhn(digits)


def luhn(digits: str) -> str:
    """Return the Luhn check digit that completes `digits`."""
    doubled = [int(d) * (2 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits))]
    return str(-sum(d - 9 if d > 9 else d for d in doubled) % 10)


def add(
    connection: Connection, member: int, kind: str, scope: str, value: str, *, source: str, now: datetime,
    sealed: bytes | None = None,
) -> None:  # fmt: skip
    """Add an active identity; the unique index refuses one that is active elsewhere (IntegrityError)."""
    row = {
        "member_id": member, "kind": kind, "scope": scope, "value": value, "sealed": sealed, "source": source,
        "created_at": now, "ended_at": None, "ended_by": "",
    }  # fmt: skip
    connection.execute(insert(identities), row)


def add_phone(
    connection: Connection, vault: Vault, member: int, key: bytes, phone: str, *, source: str, now: datetime
) -> None:
    """Add an E.164 phone, sealed under the member's `key` and found by its blind indexes: the whole and its tail."""
    index, sealed = vault.blind_index("phone", phone), vault.seal(key, "phone", phone)
    add(connection, member, "phone", "", index, source=source, sealed=sealed, now=now)
    tails.add(connection, vault, member, phone, source=source, now=now)


def find(connection: Connection, kind: str, value: str, scope: str = "") -> int | None:
    """Return the member an active identity names."""
    found = connection.execute(_ACTIVE, {"k": kind, "s": scope, "v": value}).scalar_one_or_none()
    return None if found is None else int(found)


def existing(connection: Connection, member: int) -> int | None:
    """Return the id of a member who is there."""
    return connection.execute(select(members.c.id).where(members.c.id == member)).scalar_one_or_none()


def erased(connection: Connection, member: int) -> bool:
    """Tell whether the member was forgotten: the books know their number and nobody behind it."""
    state: str = connection.execute(select(members.c.state).where(members.c.id == member)).scalar_one()
    return state == "erased"


def find_by_phone(connection: Connection, vault: Vault, phone: str) -> int | None:
    """Return the member of an E.164 phone, found by its blind index."""
    return find(connection, "phone", vault.blind_index("phone", phone))


def of_member(connection: Connection, member: int) -> list[Row[int, str, str, str, bytes | None]]:
    """Return the member's active identities (id, kind, scope, value, sealed)."""
    return list(connection.execute(_OF_MEMBER, {"member": member}))


def phone_of(connection: Connection, vault: Vault, member: int) -> str | None:
    """Return the member's phone in E.164, unsealed."""
    for row in of_member(connection, member):
        if row.kind == "phone" and row.sealed is not None:
            return vault.unseal(vault.member_key(connection, member), "phone", row.sealed)
    return None


def card_of(connection: Connection, member: int) -> str | None:
    """Return the member's card number."""
    return next((row.value for row in of_member(connection, member) if row.kind == "card"), None)


def openids_of(connection: Connection, member: int, app: str) -> list[str]:
    """Return the openids of one official account that speak for the member."""
    return [row.value for row in of_member(connection, member) if row.kind == "openid" and row.scope == app]


def bind(
    connection: Connection,
    vault: Vault,
    *,
    openid: str,
    app: str,
    phone: str,
    tier: str,
    most_openids: int,
    now: datetime,
) -> tuple[int, bool]:
    """Bind a proven phone to an openid; return (member, taken_over): the offline member is taken over, else made.

    MemberError('already_bound') when the openid speaks for another phone, ('too_many_openids') past the limit. Of two
    openids that prove the same new phone at once, the unique index lets one make the member (IntegrityError for the
    other, which tries again and finds it).
    """
    index = vault.blind_index("phone", phone)
    member = find(connection, "phone", index)
    speaking_for = find(connection, "openid", openid, app)
    if speaking_for is not None:
        if speaking_for == member:
            return speaking_for, True
        raise MemberError("already_bound")
    known = member is not None
    if member is None:
        member, key = create(connection, vault, tier=tier, now=now)
        add_phone(connection, vault, member, key, phone, source="otp", now=now)
    else:
        lock(connection, member)
        if find(connection, "phone", index) != member:
            raise MemberError("busy")
        if len(openids_of(connection, member, app)) >= most_openids:
            raise MemberError("too_many_openids", most=most_openids)
    add(connection, member, "openid", app, openid, source="otp", now=now)
    adopt_orders(connection, member, index)
    return member, known


def lock(connection: Connection, member: int) -> None:
    """Hold the member until the transaction ends.

    MemberError('busy') for one merged since they were looked up, ('member_erased') for one who is gone for good.
    """
    state = connection.execute(_LOCK, {"member": member}).scalar_one()
    if state == "merged":
        raise MemberError("busy")
    if state == "erased":
        raise MemberError("member_erased")


def adopt_orders(connection: Connection, member: int, buyer: str) -> int:
    """Attach the orders an unknown buyer of this index made before; return how many."""
    waiting = (orders.c.buyer == buyer) & orders.c.member_id.is_(None)
    return connection.execute(update(orders).where(waiting).values(member_id=member)).rowcount


def unbind(connection: Connection, *, openid: str, app: str, by: str, now: datetime) -> bool:
    """End what ties an openid to its member; everything owned stays with the phone."""
    active = (
        (identities.c.kind == "openid") & (identities.c.scope == app) & (identities.c.value == openid)
    ) & identities.c.ended_at.is_(None)
    return connection.execute(update(identities).where(active).values(ended_at=now, ended_by=by)).rowcount == 1


def change_phone(connection: Connection, vault: Vault, member: int, phone: str, *, by: str, now: datetime) -> None:
    """Replace the member's phone by a proven one; MemberError('phone_taken') when another member has it.

    Orders that an unknown buyer of the new phone made become the member's, as they do at binding.
    """
    lock(connection, member)
    index = vault.blind_index("phone", phone)
    owner = find(connection, "phone", index)
    if owner == member:
        return
    if owner is not None:
        raise MemberError("phone_taken")
    for row in of_member(connection, member):
        if row.kind == "phone":
            connection.execute(_END.values(ended_at=now, ended_by=by), {"identity": row.id})
    tails.end(connection, member, by=by, now=now)
    add_phone(connection, vault, member, vault.member_key(connection, member), phone, source="otp", now=now)
    adopt_orders(connection, member, index)


def count(connection: Connection) -> int:
    """Return the number of active members."""
    return int(
        connection.execute(select(func.count()).select_from(members).where(members.c.state == "active")).scalar_one()
    )
