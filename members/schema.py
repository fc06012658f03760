"""The schema and its migrations: upgrade an installation, check models against it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, text
from sqlmodel import SQLModel

import members.tables  # noqa: F401  the models register themselves
from members.db import Database
from members.errors import BooksBroken

if TYPE_CHECKING:
    from alembic.config import Config

METADATA = SQLModel.metadata
MIGRATIONS = Path(__file__).parent / "migrations"
# of workers that start together one upgrades; the others wait, then find nothing to do (the key is any number of ours)
_ALONE = text("SELECT pg_advisory_xact_lock(7301002)")


def _config(connection: Connection | None = None) -> "Config":
    from alembic.config import Config  # here and below: a start that finds the books up to date does without alembic

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(database: Database) -> None:
    """Bring the books to the newest schema in one transaction; nothing happens when they are there already."""
    if current(database) == newest_file():
        return
    from alembic import command

    with database.engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        if database.sqlite:
            # a table made anew must not take along the rows that point to it; the pragma is deaf in a transaction
            raw.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                if not database.sqlite:
                    connection.execute(_ALONE)
                command.upgrade(_config(connection), "head")
                if database.sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                    raise BooksBroken("a migration has left a row pointing nowhere")
        finally:
            if database.sqlite:
                raw.execute("PRAGMA foreign_keys=ON")


def newest_file() -> str:
    """Return the revision that the last migration's file name begins with; the files are numbered in their order."""
    return max(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def head() -> str | None:
    """Return the newest revision this code knows."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config()).get_current_head()


def current(database: Database) -> str | None:
    """Return the revision the books are at."""
    with database.reading() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def differences(database: Database) -> list[Any]:
    """Return what differs between the models and the database; empty when they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, METADATA))


def revise(database: Database, message: str, revision: str) -> None:
    """Write a migration from the difference between models and database (for developers)."""
    from alembic import command

    with database.transaction() as connection:
        command.revision(_config(connection), message=message, autogenerate=True, rev_id=revision)
