"""Shops to break: on both engines, and on PostgreSQL alone where SQLite has nothing like it."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.conftest import fresh_database
from tests.support.shop import Shop, open_shop

Session = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A running shop over empty books."""
    with open_shop(tmp_path, books_url) as running:
        yield running


@pytest.fixture
def postgres_books(postgres_url: str, migrated_postgres: str) -> Iterator[str]:
    """URL of empty books on PostgreSQL."""
    with fresh_database(postgres_url, migrated_postgres) as url:
        yield url


@pytest.fixture
def postgres_shop(tmp_path: Path, postgres_books: str) -> Iterator[Shop]:
    """A running shop on PostgreSQL."""
    with open_shop(tmp_path, postgres_books) as running:
        yield running


@pytest.fixture
def session(postgres_books: str) -> Iterator[Session]:
    """Another session on the same database as `postgres_shop`."""
    plain = make_url(postgres_books).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        yield connection
