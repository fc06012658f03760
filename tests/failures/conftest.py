"""A shop with the rules that made others lose money, on both engines; its books are sound after every test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from members import auditing, replay
from tests.support.acting import hire
from tests.support.shop import Shop, open_shop
from tests.support.till import Till

PHONE = "13800138000"
CHANGES: dict[str, Any] = {
    "shop": {"stores": [{"id": "s1", "name": "一店"}, {"id": "s2", "name": "二店"}]},
    "loyalty": {
        "earn": {"refunds": "down_to_zero"},
        "reward": {"points": 80, "coupon": "free-soup"},
        "expiry": {"months": 12},
        "gifts": {"on_purchase": {"over": 100, "coupon": "tea"}, "birthday": {"points": 29}},
        "balance": {"topup": [{"over": 100, "gift": 20}]},
    },
    "coupons": {
        "tea": {"title": "奶茶券", "gift": "奶茶", "cost": 5, "valid": "30 days"},
        "month": {"title": "满月券", "off": 5, "valid": "1 months"},
    },
    "staff": {"wrong_codes": 5, "lock_minutes": 30},
}


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A running shop with a cashier (o-wang) and a bound member (o-anna) in it."""
    with open_shop(tmp_path, books_url, CHANGES) as running:
        hire(running, "o-wang", store="s1")
        running.member(f"+86{PHONE}", openid="o-anna")
        yield running
        with running.service.database.reading() as connection:
            assert auditing.breaches(connection, now=running.clock.now()) == []
            assert replay.rebuild(connection) == replay.stored(connection)


@pytest.fixture
def till(shop: Shop) -> Till:
    """A till in the first store."""
    return Till(shop)
