"""The few statements behind every message, compiled once and run by the driver itself: a tenth of Core's cost a call.

What they say, their types and their errors stay SQLAlchemy's; only its events and expanding IN lists are not offered.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from sqlalchemy import Boolean, ColumnElement, Connection, Dialect, Executable, bindparam
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import UserDefinedType

Parameters = Mapping[str, Any]
Convert = Callable[[Any], Any]
_VALUES = re.compile(r"(?<=VALUES )\([^()]*\)")


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement in one database's words: its binds in order, how its columns come back, and the driver's errors.

    A bind is (name, conversion or None, None), or ('', None, constant).
    """

    sql: str
    binds: Sequence[tuple[str, Convert | None, Any]]
    columns: Sequence[tuple[int, Convert]]
    error: type[Exception]

    def bound(self, given: Parameters) -> list[Any]:
        """Return what the driver is given; KeyError when a value is missing."""
        return [
            constant if not name else given[name] if convert is None else convert(given[name])
            for name, convert, constant in self.binds
        ]


class Prepared:
    """One statement, compiled for a database when it is first used there."""

    def __init__(self, statement: Executable) -> None:
        self._statement: Any = statement
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, connection: Connection, given: Parameters) -> list[tuple[Any, ...]]:
        """Execute; return all rows as plain tuples."""
        compiled = self._for(connection)
        return _fetch(connection, compiled, compiled.sql, compiled.bound(given))

    def rows_together(self, connection: Connection, given: Sequence[Parameters]) -> list[tuple[Any, ...]]:
        """Execute an INSERT with all sets (one at least) in one statement; return the rows it gives back."""
        compiled = self._for(connection)
        sql = _VALUES.sub(lambda one: ", ".join([one[0]] * len(given)), compiled.sql, count=1)
        return _fetch(connection, compiled, sql, [value for one in given for value in compiled.bound(one)])

    def many(self, connection: Connection, given: Sequence[Parameters]) -> None:
        """Execute once for each of the sets."""
        compiled, driver = self._for(connection), _driver(connection)
        try:
            driver.cursor().executemany(compiled.sql, [compiled.bound(one) for one in given])
        except compiled.error as error:
            _fail(connection, compiled, error)

    def _for(self, connection: Connection) -> _Compiled:
        dialect = connection.dialect
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _compile(self._statement, dialect)
        return found


class among(ColumnElement[bool]):
    """The column is in a list bound as one value: the statement stays the same whatever the list's length."""

    type = Boolean()
    _traverse_internals = [
        ("column", InternalTraversal.dp_clauseelement),
        ("listed", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column, self.listed = column, bindparam(name, type_=_List())

    def self_group(self, against: Any = None) -> "among":
        """Stay as it is: compared with 1, as booleans are on SQLite, it would use no index."""
        return self


class _List(UserDefinedType[Sequence[Any]]):
    """An array; on SQLite, which has none, JSON."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Convert:
        return json.dumps if dialect.name == "sqlite" else list


@compiles(among)
def _in_words(element: among, compiler: SQLCompiler, **more: Any) -> str:
    column, listed = compiler.process(element.column, **more), compiler.process(element.listed, **more)
    if compiler.dialect.name == "sqlite":
        return f"{column} IN (SELECT value FROM json_each({listed}))"  # noqa: S608  both are compiled
    return f"{column} = ANY({listed})"


def _driver(connection: Connection) -> Any:
    if not connection.in_transaction():
        connection.begin()
    return connection.connection.driver_connection


def _fetch(connection: Connection, compiled: _Compiled, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    driver = _driver(connection)
    try:
        rows: list[tuple[Any, ...]] = driver.execute(sql, values).fetchall()
    except compiled.error as error:
        _fail(connection, compiled, error)
    return [_converted(row, compiled.columns) for row in rows] if compiled.columns else rows


def _fail(connection: Connection, compiled: _Compiled, error: Any) -> NoReturn:
    """Raise the driver's error as SQLAlchemy's (DBAPIError); a connection that is lost is given up."""
    dialect = connection.dialect
    lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
    if lost:
        connection.invalidate(error)
    raise DBAPIError.instance(
        compiled.sql, None, error, compiled.error, hide_parameters=True, connection_invalidated=lost, dialect=dialect
    ) from error


def _converted(row: tuple[Any, ...], columns: Sequence[tuple[int, Convert]]) -> tuple[Any, ...]:
    values = list(row)
    for position, convert in columns:
        values[position] = convert(values[position])
    return tuple(values)


def _compile(statement: Any, dialect: Dialect) -> _Compiled:
    kind: Any = type(dialect)
    numbered: Any = dialect if dialect.positional else kind(paramstyle="format")
    compiled: SQLCompiler = statement.compile(dialect=numbered)
    columns = [
        (position, convert)
        for position, column in enumerate(getattr(statement, "exported_columns", ()))
        if (convert := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
    ]
    binds = [_bind(name, compiled.binds[name], dialect) for name in compiled.positiontup or ()]
    return _Compiled(compiled.string, binds, columns, cast(Any, dialect).loaded_dbapi.Error)


def _bind(name: str, bind: BindParameter[Any], dialect: Dialect) -> tuple[str, Convert | None, Any]:
    convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
    if bind.required:
        return name, convert, None
    constant = bind.effective_value
    return "", None, convert(constant) if convert else constant
