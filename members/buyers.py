"""Who buys: what a till names, the member it stands for, and how an order remembers a buyer nobody knows yet."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, bindparam, select

from members import identity, member_code
from members.errors import MemberError
from members.prepared import Prepared
from members.sales import Buyer
from members.tables import Identity, Member, table
from members.vault import Vault, normalise_phone

_members, _identities = table(Member), table(Identity)
_HOLD = Prepared(
    select(_members.c.state, _members.c.merged_into, _members.c.tier, _members.c.birthday)
    .where(_members.c.id == bindparam("member"))
    .with_for_update()
)
_FIND = Prepared(
    select(_identities.c.member_id).where(
        _identities.c.kind == bindparam("k"), _identities.c.scope == bindparam("s"),
        _identities.c.value == bindparam("v"), _identities.c.ended_at.is_(None),
    )
)  # fmt: skip
KINDS = ("phone", "card", "openid", "member", "code", "shop")
MERGES = 20


@dataclass(frozen=True, slots=True)
class Held:
    """A member who stays as they are until the transaction ends."""

    id: int
    tier: str
    birthday: date | None


def find(
    connection: Connection, vault: Vault, buyer: Buyer | None, *, app: str, at: datetime, now: datetime
) -> int | None:
    """Return the member whom a till names; None for nobody we know. MemberError('bad_phone', 'buyer_kind').

    A member code counts at the instant of the sale, however late the till tells of it.
    """
    if buyer is None:
        return None
    if buyer.kind not in KINDS:
        raise MemberError("buyer_kind", kinds="、".join(KINDS))
    if buyer.kind == "member":
        known = buyer.value.isascii() and buyer.value.isdecimal() and len(buyer.value) <= 18
        return identity.existing(connection, int(buyer.value)) if known else None
    if buyer.kind == "code":
        named = member_code.names(vault, buyer.value, now)
        return named if named is not None else member_code.names(vault, buyer.value, at)
    scope, value = _as_identity(vault, buyer, app)
    for (member,) in _FIND.rows(connection, {"k": buyer.kind, "s": scope, "v": value}):
        return int(member)
    return None


def _as_identity(vault: Vault, buyer: Buyer, app: str) -> tuple[str, str]:
    if buyer.kind == "phone":
        return "", vault.blind_index("phone", normalise_phone(buyer.value))
    if buyer.kind == "shop":
        issuer, _, number = buyer.value.partition(":")
        return issuer, number
    return app if buyer.kind == "openid" else "", buyer.value.replace(" ", "")


def mark(vault: Vault, buyer: Buyer | None) -> str:
    """Return how an order remembers its buyer: a phone's blind index, `card:…`, `openid:…`, `shop:…`, or nothing."""
    if buyer is None or buyer.kind in ("member", "code"):
        return ""
    scope, value = _as_identity(vault, buyer, "")
    return value if buyer.kind == "phone" else ":".join(part for part in (buyer.kind, scope, value) if part)


def marks_of(connection: Connection, member: int, app: str) -> list[str]:
    """Return every mark that orders of an unknown buyer may carry who is this member."""
    found = []
    for row in identity.of_member(connection, member):
        if row.kind == "phone":
            found.append(row.value)
        elif row.kind in ("card", "shop") or (row.kind == "openid" and row.scope == app):
            scope = row.scope if row.kind == "shop" else ""
            found.append(":".join(part for part in (row.kind, scope, row.value) if part))
    return found


def hold(connection: Connection, member: int | None) -> Held | None:
    """Lock the member, or whom they were merged into meanwhile; None for nobody, and for who was erased."""
    for _ in range(MERGES):
        if member is None:
            return None
        rows = _HOLD.rows(connection, {"member": member})
        if not rows:
            return None
        state, merged_into, tier, birthday = rows[0]
        if state == "active":
            return Held(member, tier, birthday)
        member = merged_into
    raise MemberError("busy")
