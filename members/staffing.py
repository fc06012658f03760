"""Who serves: hired by an invite word, bound by the code sent to the phone that was registered, ended at once.

The word is random (40 bits), stored as a keyed hash, good once and for hours. It is worth nothing without the phone.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, bindparam, select, update

from members import audit, identity, merging_history, shops
from members.audit import Actor
from members.coupons import ALPHABET
from members.errors import MemberError
from members.tables import Identity, Staff, table
from members.vault import Vault

_staff, _identities = table(Staff), table(Identity)
_EVER_OF = select(_identities.c.member_id).where(
    _identities.c.kind == "openid", _identities.c.value == bindparam("who")
)
WORD_SYMBOLS = 8
_COLUMNS = (_staff.c.id, _staff.c.name, _staff.c.role, _staff.c.store_id, _staff.c.openid, _staff.c.phone_index)
_ON_DUTY = select(*_COLUMNS).where(_staff.c.id == bindparam("who"), _staff.c.active).with_for_update(read=True)
_ACTIVE = select(*_COLUMNS).where(_staff.c.active).order_by(_staff.c.id)
_INVITED = select(_staff.c.id, _staff.c.phone_sealed).where(
    _staff.c.invite_hash == bindparam("hash"), _staff.c.active, _staff.c.invite_until > bindparam("moment")
)
_NAME = select(_staff.c.name).where(_staff.c.id == bindparam("who"))


@dataclass(frozen=True, slots=True)
class Server:
    """A person of staff on duty; `phone_index` is the blind index of their own phone, '' when none is known."""

    id: int
    name: str
    role: str
    store: str | None
    openid: str | None = None
    phone_index: str = ""

    @property
    def manages(self) -> bool:
        """Tell whether they are a manager or head office."""
        return self.role in ("manager", "head_office")


@dataclass(frozen=True, slots=True)
class Invited:
    """A new person of staff and the word that binds them once, until then."""

    id: int
    word: str
    until: datetime


def on_duty(connection: Connection, staff: int) -> Server:
    """Return a person of staff, not to be revoked until the transaction ends; MemberError('staff_gone')."""
    row = connection.execute(_ON_DUTY, {"who": staff}).one_or_none()
    if row is None:
        raise MemberError("staff_gone")
    return _server(row)


def _server(row: Row[int, str, str, str | None, str | None, str]) -> Server:
    return Server(row.id, row.name, row.role, row.store_id, row.openid, row.phone_index or "")


def active(connection: Connection) -> list[Server]:
    """Return everybody on duty, in the order they came."""
    return [_server(row) for row in connection.execute(_ACTIVE)]


def name_of(connection: Connection, staff: int) -> str:
    """Return the name of a person of staff, also of one who has left; '' for nobody."""
    return str(connection.execute(_NAME, {"who": staff}).scalar_one_or_none() or "")


def may_manage(manager: Server, store: str | None) -> bool:
    """Tell whether somebody decides for a store: its manager; head office for all, or for the one it has."""
    if manager.role == "head_office":
        return manager.store is None or manager.store == store
    return manager.role == "manager" and manager.store == store


def managers_of(connection: Connection, store: str | None) -> list[Server]:
    """Return who decides for a store: its managers, or where there is none, head office."""
    deciding = [one for one in active(connection) if may_manage(one, store)]
    own = [one for one in deciding if one.role == "manager"]
    return own or deciding


def is_self(connection: Connection, staff: Server, member: int) -> bool:
    """Tell whether a member is this person of staff: by the registered phone, or by any openid of theirs, ever.

    A tie that ended counts too: who unbinds to serve themselves and binds again is still the same person.
    """
    if staff.phone_index and any(
        (row.kind, row.value) == ("phone", staff.phone_index) for row in identity.of_member(connection, member)
    ):
        return True
    own = connection.execute(_EVER_OF, {"who": staff.openid}).scalars()
    return not set(own).isdisjoint(merging_history.family(connection, member))


def hire(
    connection: Connection, vault: Vault, *, name: str, role: str, store: str | None, phone: str, hours: int, by: Actor,
    now: datetime,
) -> Invited:  # fmt: skip
    """Add a person of staff by their E.164 phone, not bound yet; MemberError bad_role, no_store, staff_known."""
    index = vault.blind_index("phone", phone)
    known = next((one for one in active(connection) if one.phone_index == index), None)
    if known is not None:
        raise MemberError("staff_known", name=known.name, id=known.id)
    staff = shops.add_staff(connection, openid=None, name=name, role=role, store=store, now=now)
    fields = {"phone_index": index, "phone_sealed": vault.seal_system("staff", phone), "created_by": by.name}
    connection.execute(update(_staff).where(_staff.c.id == staff).values(fields))
    audit.write(connection, by, "staff.add", None, {"staff": staff, "role": role, "store": store}, now=now)
    return invite(connection, vault, staff, hours=hours, by=by, now=now)


def invite(connection: Connection, vault: Vault, staff: int, *, hours: int, by: Actor, now: datetime) -> Invited:
    """Give a person of staff a new word, which ends the old one; MemberError('staff_gone', 'staff_no_phone')."""
    row = connection.execute(
        select(_staff.c.phone_sealed).where(_staff.c.id == staff, _staff.c.active).with_for_update()
    ).one_or_none()
    if row is None:
        raise MemberError("staff_gone")
    if row.phone_sealed is None:
        raise MemberError("staff_no_phone")
    word, until = _new_word(), now + timedelta(hours=hours)
    fields = {"invite_hash": _hash(vault, word), "invite_until": until}
    connection.execute(update(_staff).where(_staff.c.id == staff).values(fields))
    audit.write(connection, by, "staff.invite", None, {"staff": staff}, now=now)
    return Invited(staff, spell(word), until)


def _new_word() -> str:
    """Return eight symbols with a letter and a digit among them: neither a number nor a word of any language."""
    while True:
        word = "".join(ALPHABET[secrets.randbelow(32)] for _ in range(WORD_SYMBOLS))
        if not word.isdigit() and not word.isalpha():
            return word


def spell(word: str) -> str:
    """Return a word as people read it: K7QF-2MDX."""
    return f"{word[:4]}-{word[4:]}"


def _hash(vault: Vault, word: str) -> str:
    return vault.blind_index("invite", word)


def invited(connection: Connection, vault: Vault, word: str, *, now: datetime) -> tuple[int, str] | None:
    """Return (staff, E.164 phone) of whom a typed word invites; None when it is wrong, used or has run out."""
    plain = "".join(c for c in word.upper() if c.isalnum()).translate(str.maketrans("OIL", "011"))
    row = connection.execute(_INVITED, {"hash": _hash(vault, plain), "moment": now}).one_or_none()
    if row is None or row.phone_sealed is None:
        return None
    return int(row.id), vault.unseal_system("staff", row.phone_sealed)


def bind(connection: Connection, vault: Vault, *, openid: str, phone: str, by: Actor, now: datetime) -> Server | None:
    """Bind an openid to whoever was invited at this proven phone; None when the invitation is gone meanwhile.

    An openid that serves already somewhere else is refused (MemberError staff_bound); one of somebody who left is free.
    """
    index = vault.blind_index("phone", phone)
    waiting = (
        _staff.c.active & (_staff.c.phone_index == index) & _staff.c.invite_hash.is_not(None)
        & (_staff.c.invite_until > now)
    )  # fmt: skip
    wanted = connection.execute(select(*_COLUMNS).where(waiting).with_for_update()).first()
    if wanted is None:
        return None
    other = (_staff.c.openid == openid) & (_staff.c.id != wanted.id)
    if connection.execute(select(_staff.c.id).where(other, _staff.c.active)).first() is not None:
        raise MemberError("staff_bound")
    connection.execute(update(_staff).where(other).values(openid=None))
    fields = {"openid": openid, "bound_at": now, "invite_hash": None, "invite_until": None}
    connection.execute(update(_staff).where(_staff.c.id == wanted.id).values(fields))
    audit.write(connection, by, "staff.bind", None, {"staff": wanted.id}, now=now)
    return Server(wanted.id, wanted.name, wanted.role, wanted.store_id, openid, wanted.phone_index)


def named(people: Sequence[Server], ref: str) -> list[Server]:
    """Return who is meant by a number or a name: all of that name, or all whose name holds it."""
    if ref.isdecimal():
        return [one for one in people if one.id == int(ref)]
    return [one for one in people if one.name == ref] or [one for one in people if ref and ref in one.name]
