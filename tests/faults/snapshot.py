"""All rows of the books, to be compared before and after."""

from typing import Any

from sqlalchemy import Connection, select

from members.schema import METADATA


def snapshot(connection: Connection, *, without: tuple[str, ...] = ()) -> dict[str, list[tuple[Any, ...]]]:
    """Return {table: its rows in the order of the primary key}."""
    return {
        table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
        for table in METADATA.sorted_tables
        if table.name not in without
    }


def changes(before: dict[str, list[tuple[Any, ...]]], after: dict[str, list[tuple[Any, ...]]]) -> dict[str, Any]:
    """Return {table: (rows gone, rows new)} of the tables that differ."""
    different = [name for name, rows in after.items() if rows != before[name]]
    return {name: (_only(before[name], after[name]), _only(after[name], before[name])) for name in different}


def _only(these: list[tuple[Any, ...]], others: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [row for row in these if row not in others]
