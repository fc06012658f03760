"""Small demo shops for the tests, and everything that is in their books."""

import base64
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import SQLModel

from members import identity, schema
from members.db import Database
from members.importing.completejourney import ImportOptions, import_completejourney
from members.importing.progress import Silent
from members.importing.report import CleaningReport
from members.tables import Identity, table
from members.vault import Vault

KEY = {"k1": base64.b64encode(bytes(range(32))).decode()}
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
SHIFT = timedelta(days=(date(2026, 11, 21) - date(2017, 12, 31)).days)
MANY = 60
SECRET = {"identity": {"sealed"}, "member_key": {"wrapped"}}


def fresh(url: str) -> Database:
    """Return empty books."""
    database = Database(url, synchronous="NORMAL")
    schema.upgrade(database)
    return database


def run(database: Database, households: int | None, *, now: datetime = NOW, progress: Any = None) -> CleaningReport:
    """Import the first households."""
    options = ImportOptions(households=households)
    return import_completejourney(database, Vault(KEY), options, now=now, progress=progress or Silent())


def everything(database: Database) -> dict[str, list[Any]]:
    """Return all rows of all tables, but for what is encrypted anew each time."""
    with database.reading() as connection:
        return {
            model.name: sorted(
                tuple(
                    (c.name, repr(v))
                    for c, v in zip(model.c, row, strict=True)
                    if c.name not in SECRET.get(model.name, ())
                )
                for row in connection.execute(select(model))
            )
            for model in SQLModel.metadata.sorted_tables
        }


def member_of(database: Database, household: int) -> int:
    """Return the member of a household."""
    with database.reading() as connection:
        found = identity.find(connection, "shop", str(household), "completejourney")
    assert found is not None
    return found


def chosen(database: Database) -> list[int]:
    """Return the households in the books."""
    shop_ids = table(Identity)
    with database.reading() as connection:
        return [int(v) for v in connection.scalars(select(shop_ids.c.value).where(shop_ids.c.kind == "shop"))]
