"""A shop of bound members who own points: the books that are measured, and what each member must be told."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Connection

from bot import config as configuration
from bot.service import Service, build
from members import identity, ledger_bulk
from members.ledger import Booking, Leg
from tests.support.talker import Keys

KEYS = Keys(app_id="wx00000000bench", token="bench-token", aes="0123456789abcdefghijABCDEFGHIJklmnopqrstuvw")
MASTER = base64.b64encode(bytes(range(32))).decode()
LOTS, LOT = 3, 300


def openid(number: int) -> str:
    """Return the openid of the member of this number, as long as a real one."""
    return f"oBench{number:022d}"


def points(number: int) -> int:
    """Return the points that member owns."""
    return 1000 + number * 7


def write_config(folder: Path, url: str, synchronous: str) -> Path:
    """Write a configuration over the database at `url`; return its path."""
    content: dict[str, Any] = {
        "wechat": {
            "app_id": KEYS.app_id, "app_secret": "secret", "token": KEYS.token, "encoding_aes_key": KEYS.aes,
            "api_base": "http://127.0.0.1:9",
        },
        "database": {"url": url, "synchronous": synchronous},
        "shop": {"name": "邻家生鲜"},
        "loyalty": {"reward": {"points": 50_000, "coupon": "free-soup"}, "tiers": [{"name": "普卡"}]},
        "coupons": {"free-soup": {"title": "免费例汤", "gift": "例汤", "valid": "30 days"}},
        "privacy": {"keys": {"k1": MASTER}},
    }  # fmt: skip
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
    return path


def fill(path: Path, members: int) -> None:
    """Create the schema and so many bound members, their points in lots that expire one after another."""
    service = build(configuration.load(path, {}), path)
    service.prepare()
    now = datetime.now(UTC)
    for first in range(0, members, 500):
        with service.database.transaction() as connection:
            numbers = range(first, min(first + 500, members))
            bookings = [booking for number in numbers for booking in _member(service, connection, number, now)]
            ledger_bulk.post_many(connection, bookings)
    service.close()


def _member(service: Service, connection: Connection, number: int, now: datetime) -> list[Booking]:
    member, _ = identity.create(connection, service.vault, tier="普卡", now=now)
    identity.add(connection, member, "openid", KEYS.app_id, openid(number), source="bench", now=now)
    amounts = [points(number) - (LOTS - 1) * LOT, *[LOT] * (LOTS - 1)]
    return [
        Booking(
            f"bench:{number}:{lot}", "earn", "bench", now, (Leg("points", amount, member), Leg("issuer", -amount)),
            expires_at=now + timedelta(days=100 * (lot + 1)),
        )
        for lot, amount in enumerate(amounts)
    ]  # fmt: skip
