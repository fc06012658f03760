"""The small shop's books, on each engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from members.db import Database
from tests.scheduler.pack_shop import PackShop, pack_rules
from tests.scheduler.small_shop import SmallShop, push_rules


@pytest.fixture
def database(books_url: str) -> Iterator[Database]:
    """The books, empty, at the newest schema."""
    found = Database(books_url, synchronous="OFF")
    yield found
    found.dispose()


@pytest.fixture
def open_shop(database: Database) -> Callable[..., SmallShop]:
    """Opens the small shop with parts of its rules replaced."""

    def opened(**changes: Any) -> SmallShop:
        return SmallShop(database, push_rules(**changes))

    return opened


@pytest.fixture
def shop(open_shop: Callable[..., SmallShop]) -> SmallShop:
    """The small shop as it is."""
    return open_shop()


@pytest.fixture
def open_pack(database: Database) -> Callable[..., PackShop]:
    """Opens the shop with parts of its pack replaced, three strangers' receipts in its books."""

    def opened(**changes: Any) -> PackShop:
        shop = PackShop(database, pack_rules(**changes))
        shop.crowd()
        return shop

    return opened
