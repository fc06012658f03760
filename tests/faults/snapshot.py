"""All rows of the books, to be compared before and after; asked of the bare driver, since it is done so often."""

from typing import Any

from sqlalchemy import Connection, Text, cast, literal_column, select, union_all
from sqlalchemy.dialects import postgresql

from members.schema import METADATA

Rows = dict[str, list[tuple[Any, ...]]]
EACH = {table.name: str(table.select()) for table in METADATA.sorted_tables}
_TEXTS = [
    select(literal_column(f"'{name}'"), cast(table.alias("whole").table_valued(), Text))
    for name, table in METADATA.tables.items()
]
TOGETHER = str(union_all(*_TEXTS).compile(dialect=postgresql.dialect()))
"""On PostgreSQL a question for each of the tables would take longer than what is tested."""


def snapshot(connection: Connection) -> Rows:
    """Return {table: its rows, sorted}."""
    driver: Any = connection.connection.driver_connection
    found: Rows = {name: [] for name in EACH}
    if connection.dialect.name == "sqlite":
        found = {name: driver.execute(statement).fetchall() for name, statement in EACH.items()}
    else:
        for name, row in driver.execute(TOGETHER).fetchall():
            found[name].append((row,))
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def changes(before: Rows, after: Rows) -> dict[str, Any]:
    """Return {table: (rows gone, rows new)} of the tables that differ."""
    different = [name for name, rows in after.items() if rows != before[name]]
    return {name: (_only(before[name], after[name]), _only(after[name], before[name])) for name in different}


def _only(these: list[tuple[Any, ...]], others: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [row for row in these if row not in others]
