"""Many rows at once through the driver: for imports, where Core's per-row work is most of the time."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Table, text


def take_ids(connection: Connection, table: Table, many: int) -> list[int]:
    """Return `many` fresh ids of a table in rising order; SQLite: only inside a writing transaction."""
    if many == 0:
        return []
    if connection.dialect.name == "sqlite":
        last = connection.exec_driver_sql(f"SELECT coalesce(max(id), 0) FROM {table.name}").scalar_one()  # noqa: S608
        return list(range(last + 1, last + many + 1))
    drawn = text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :many)")
    return sorted(int(row[0]) for row in connection.execute(drawn, {"name": table.name, "many": many}))


def insert_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert tuples in the order of `columns`, every NOT NULL column named; values pass the columns' own types."""
    if not rows:
        return
    converted = _converted(connection, table, columns, rows)
    names = ", ".join(columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(converted))  # noqa: S608
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in converted:
            copy.write_row(row)


def _converted(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[Any, ...]] | Sequence[tuple[Any, ...]]:
    dialect = connection.dialect
    processors = [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in columns]
    if not any(processors):
        return rows
    found = [(position, processor) for position, processor in enumerate(processors) if processor]
    return _apply(rows, found)


def _apply(
    rows: Sequence[tuple[Any, ...]], processors: Sequence[tuple[int, Callable[[Any], Any]]]
) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        values = list(row)
        for position, processor in processors:
            values[position] = processor(values[position])
        yield tuple(values)
