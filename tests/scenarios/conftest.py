"""Scenarios talk to the whole app through signed XML, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shop import Shop, open_shop


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A running shop over an empty database."""
    with open_shop(tmp_path, books_url) as running:
        yield running
