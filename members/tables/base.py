"""Column types every table is made of."""

from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    Table,
)
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: refuses naive input, always gives back UTC-aware values (SQLite alone would not)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive datetimes and store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime in the books")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Big = BigInteger().with_variant(Integer, "sqlite")


def table(model: type[SQLModel]) -> Table:
    """Return the Core table of a model: what prebuilt statements are made of."""
    return cast(Table, cast(Any, model).__table__)


def key() -> Any:
    return Field(default=None, sa_column=Column(Big, primary_key=True, autoincrement=True))


def ref(target: str, *, null: bool = True, index: bool = False, primary: bool = False) -> Any:
    column: Column[int] = Column(Big, ForeignKey(target), nullable=null, index=index, primary_key=primary)
    return Field(default=None, sa_column=column)


def big(default: int | None = None, *, null: bool = False) -> Any:
    return Field(default=default, sa_column=Column(Big, nullable=null, default=default))


def when(*, null: bool = False, index: bool = False, primary: bool = False) -> Any:
    column: Column[datetime] = Column(UtcDateTime, nullable=null, index=index, primary_key=primary)
    return Field(default=None, sa_column=column)


def json_column() -> Any:
    return Field(default=None, sa_column=Column(JSON, nullable=True))
