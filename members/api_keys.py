"""Keys of tills and shop systems: 256 random bits each, of which the books keep the SHA-256 alone."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from members import audit, shops
from members.audit import Actor
from members.errors import MemberError
from members.tables import ApiKey, table

_keys = table(ApiKey)
PREFIX, KEY_BYTES, SHOWN = "mb_", 32, 9
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH = 43  # 62 ** 43 is the first power above 2 ** 256
SCOPES = (
    "orders:write", "orders:read", "refunds:write", "coupons:redeem", "members:read", "members:write",
    "products:write", "events:write",
)  # fmt: skip

_VALID = select(_keys.c.id, _keys.c.name, _keys.c.store_id, _keys.c.scopes).where(
    _keys.c.hash == bindparam("digest"), _keys.c.revoked_at.is_(None)
)
_REVOKE = (
    update(_keys)
    .where(_keys.c.id == bindparam("which"), _keys.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("moment"))
    .returning(_keys.c.name)
)
_LIST = select(
    _keys.c.id, _keys.c.name, _keys.c.prefix, _keys.c.store_id, _keys.c.scopes, _keys.c.created_at, _keys.c.revoked_at
).order_by(_keys.c.id)


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """Who calls: a key that is valid now, what it may do, and the one store it serves (None: every store)."""

    id: int
    name: str
    store: str | None
    scopes: frozenset[str]

    @property
    def actor(self) -> Actor:
        """Return the caller as the books write it."""
        return Actor(f"api:{self.id}", self.store, f"api:{self.name}")


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key; `text` is shown this once and kept nowhere."""

    id: int
    text: str


def make(
    connection: Connection, *, name: str, scopes: Iterable[str], store: str | None, by: Actor, now: datetime
) -> MadeKey:
    """Make a key; MemberError('api_scope_unknown', 'store_unknown')."""
    wanted = sorted(set(scopes))
    strange = [scope for scope in wanted if scope not in SCOPES]
    if strange or not wanted:
        raise MemberError("api_scope_unknown", scope="、".join(strange), scopes="、".join(SCOPES))
    if store is not None and shops.name_of(connection, store) is None:
        raise MemberError("store_unknown", store=store)
    text = PREFIX + base62(secrets.token_bytes(KEY_BYTES))
    row = {
        "name": name, "prefix": text[:SHOWN], "hash": digest(text), "store_id": store, "scopes": wanted,
        "created_at": now, "revoked_at": None,
    }  # fmt: skip
    made = int(connection.execute(insert(_keys).returning(_keys.c.id), row).scalar_one())
    detail = {"key": made, "name": name, "scopes": wanted, "store": store}
    audit.write(connection, by, "api.key", None, detail, now=now)
    return MadeKey(made, text)


def caller(connection: Connection, text: str) -> ApiCaller | None:
    """Return who a key speaks for; None when it is unknown or revoked."""
    row = connection.execute(_VALID, {"digest": digest(text)}).one_or_none()
    return None if row is None else ApiCaller(row.id, row.name, row.store_id, frozenset(row.scopes))


def revoke(connection: Connection, key: int, *, by: Actor, now: datetime) -> bool:
    """End a key: the next request it makes is refused. False when there is no such valid key."""
    name = connection.execute(_REVOKE, {"which": key, "moment": now}).scalar_one_or_none()
    if name is None:
        return False
    audit.write(connection, by, "api.key_revoke", None, {"key": key, "name": name}, now=now)
    return True


def listed(connection: Connection) -> list[Row[int, str, str, str | None, list[str], datetime, datetime | None]]:
    """Return every key (id, name, prefix, store_id, scopes, created_at, revoked_at), oldest first."""
    return list(connection.execute(_LIST))


def digest(text: str) -> str:
    """Return what the books keep of a key: 256 random bits need neither salt nor a slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()


def base62(secret: bytes) -> str:
    """Return 32 bytes as 43 letters and digits."""
    number, symbols = int.from_bytes(secret), []
    for _ in range(LENGTH):
        number, place = divmod(number, 62)
        symbols.append(BASE62[place])
    return "".join(reversed(symbols))
