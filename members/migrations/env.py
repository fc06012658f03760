"""Alembic's environment: always run by members.schema with a connection at hand."""

from typing import Any, Literal

from alembic import context
from sqlmodel import AutoString

from members.schema import METADATA
from members.tables.base import UtcDateTime


def render_item(kind: str, item: Any, _autogen: Any) -> str | Literal[False]:
    """Write our own column types as migrations import them."""
    if kind == "type" and isinstance(item, AutoString):
        return "sa.String()"
    return "UtcDateTime()" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    compare_type=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
