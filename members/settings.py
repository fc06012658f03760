"""Named facts of the installation, such as the shared access token and the sandbox's clock."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from members.tables import Setting, table

_settings = table(Setting)
_GET = select(_settings.c.value, _settings.c.sealed).where(_settings.c.key == bindparam("name"))
_PUT = upsert(_settings)
_PUT = _PUT.on_conflict_do_update(
    index_elements=[_settings.c.key], set_={name: _PUT.excluded[name] for name in ("value", "sealed")}
)


def get(connection: Connection, key: str) -> dict[str, Any] | None:
    """Return the value of a fact, None when it was never put."""
    row = connection.execute(_GET, {"name": key}).one_or_none()
    return None if row is None else dict(row.value or {})


def get_sealed(connection: Connection, key: str) -> bytes | None:
    """Return the sealed part of a fact."""
    row = connection.execute(_GET, {"name": key}).one_or_none()
    return None if row is None else row.sealed


def put(connection: Connection, key: str, value: Mapping[str, Any], sealed: bytes | None = None) -> None:
    """Replace a fact."""
    connection.execute(_PUT, {"key": key, "value": dict(value), "sealed": sealed})
