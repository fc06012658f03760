"""The REST part, asked through the whole app, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shop import Shop, open_shop
from tests.support.till import Till

CHANGES = {
    "shop": {
        "stores": [
            {"id": "s1", "name": "一店", "address": "南京路1号"},
            {"id": "s2", "name": "二店", "address": "淮海路2号"},
        ]
    },
    "loyalty": {
        "tiers": [
            {"name": "普卡", "perks": ["专属客服"]},
            {"name": "金卡", "spend_12_months": 3000, "perks": [{"name": "免费配送", "per_month": 1}]},
        ],
        "paid": [{"name": "黑金", "price": 199, "perks": [{"name": "免费配送", "per_month": 2}]}],
    },
    "coupons": {
        "only-s2": {"title": "二店专用", "off": 5, "valid": "30 days", "scope": {"stores": ["s2"]}},
    },
    "staff": {"wrong_codes": 3, "lock_minutes": 30},
}


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A running shop of two stores over an empty database."""
    with open_shop(tmp_path, books_url, CHANGES) as running:
        yield running


@pytest.fixture
def till(shop: Shop) -> Till:
    """A key for everything in every store."""
    return Till(shop)
