"""The schema and its migrations: upgrade an installation, check models against it."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

import members.tables  # noqa: F401  the models register themselves
from members.db import Database

METADATA = SQLModel.metadata
# of workers that start together one upgrades; the others wait, then find nothing to do (the key is any number of ours)
_ALONE = text("SELECT pg_advisory_xact_lock(7301002)")


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(database: Database) -> None:
    """Bring the books to the newest schema in one transaction; nothing happens when they are there already."""
    if current(database) == head():
        return
    with database.transaction() as connection:
        if not database.sqlite:
            connection.execute(_ALONE)
        command.upgrade(_config(connection), "head")


def head() -> str | None:
    """Return the newest revision this code knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def current(database: Database) -> str | None:
    """Return the revision the books are at."""
    with database.reading() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def differences(database: Database) -> list[Any]:
    """Return what differs between the models and the database; empty when they agree."""
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, METADATA))


def revise(database: Database, message: str, revision: str) -> None:
    """Write a migration from the difference between models and database (for developers)."""
    with database.transaction() as connection:
        command.revision(_config(connection), message=message, autogenerate=True, rev_id=revision)
