"""The register of fitted models: one of a kind is current; the way back is a row, not a file operation."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from members.tables import ModelVersion, table

NAMES = {"next_basket": "下一单", "timing": "补货时间"}
KINDS = tuple(NAMES)
versions = table(ModelVersion)
_ADD = insert(versions).returning(versions.c.id)
_OF = select(versions).where(versions.c.kind == bindparam("which")).order_by(versions.c.id.desc())
_CURRENT = _OF.where(versions.c.state == "current").limit(1)
_FORMER = _OF.where(versions.c.state == "former").limit(1)
_RETIRE = (
    update(versions)
    .where(versions.c.kind == bindparam("which"), versions.c.state == "current")
    .values(state=bindparam("becomes"))
)
_PROMOTE = (
    update(versions).where(versions.c.id == bindparam("one"), versions.c.state == "former").values(state="current")
)


@dataclass(frozen=True, slots=True)
class Version:
    """One model: `cut` is the day whose morning it was fitted on; `file` is a name within the models' folder."""

    id: int
    kind: str
    fitted_at: datetime
    cut: date
    file: str
    checksum: str
    state: str
    measures: Mapping[str, Any]


def current(connection: Connection, kind: str) -> Version | None:
    """Return the model in use, None when there is none."""
    row = connection.execute(_CURRENT, {"which": kind}).one_or_none()
    return None if row is None else Version(*row)


def history(connection: Connection, kind: str) -> list[Version]:
    """Return every model of a kind, newest first."""
    return [Version(*row) for row in connection.execute(_OF, {"which": kind})]


def add(
    connection: Connection, kind: str, *, cut: date, file: str, checksum: str, measures: Mapping[str, Any],
    promoted: bool, now: datetime,
) -> int:  # fmt: skip
    """Register a fitted model; a promoted one takes the place of the current one, another is kept as refused."""
    if promoted:
        connection.execute(_RETIRE, {"which": kind, "becomes": "former"})
    row = {
        "kind": kind, "fitted_at": now, "cut": cut, "file": file, "checksum": checksum,
        "state": "current" if promoted else "refused", "measures": dict(measures),
    }  # fmt: skip
    return int(connection.execute(_ADD, row).scalar_one())


def roll_back(connection: Connection, kind: str) -> Version:
    """Take back the current model and use the one before it; LookupError when there is none before it."""
    former = connection.execute(_FORMER, {"which": kind}).one_or_none()
    if former is None:
        raise LookupError("no model before the current one")
    connection.execute(_RETIRE, {"which": kind, "becomes": "rolled_back"})
    if connection.execute(_PROMOTE, {"one": former.id}).rowcount != 1:
        raise LookupError("somebody else was faster")
    found = current(connection, kind)
    assert found is not None
    return found
