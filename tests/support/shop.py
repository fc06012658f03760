"""A small shop: the whole app in this process, with a hand-moved clock and a wire that only writes down."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from bot import config as configuration
from bot.app import Front, build_app
from bot.service import Service, build
from members import identity, ledger
from members.clock import Clock, add_months, end_of_day
from members.ledger import Booking, Leg
from members.vault import generate_key
from tests.support.talker import Keys, Talker

KEYS = Keys(app_id="wx00000000test", token="test-token", aes="0123456789abcdefghijABCDEFGHIJklmnopqrstuvw")
MASTER = generate_key()
PATIENCE_SECONDS = 30.0
START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)

CONFIG: dict[str, Any] = {
    "wechat": {
        "app_id": KEYS.app_id,
        "app_secret": "secret",
        "token": KEYS.token,
        "encoding_aes_key": KEYS.aes,
        "api_base": "http://127.0.0.1:9",
    },
    "shop": {"name": "邻家生鲜", "service_phone": "021-5555"},
    "loyalty": {
        "reward": {"points": 500, "coupon": "free-soup"},
        "tiers": [{"name": "普卡"}, {"name": "金卡", "spend_12_months": 3000}],
    },
    "coupons": {
        "off-20-over-100": {"title": "满100减20", "off": 20, "over": 100, "valid": "14 days", "per_member": 2},
        "free-soup": {"title": "免费例汤", "gift": "例汤", "valid": "30 days"},
        "one-only": {"title": "唯一券", "off": 1, "valid": "3 days", "stock": 1},
    },
    "staff": {"limits": {"cashier": {"coupons_per_shift": 5}}},
    "privacy": {"keys": {"k1": MASTER}},
}


class HandClock(Clock):
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime = START) -> None:
        super().__init__()
        self._at = start

    def now(self) -> datetime:
        """Return where the hand stands."""
        return self._at

    def move_to(self, instant: datetime) -> None:
        """Move forward."""
        if instant < self._at:
            raise ValueError("the clock only moves forward")
        self._at = instant

    def forward(self, **span: float) -> None:
        """Move forward by a timedelta's arguments."""
        self.move_to(self._at + timedelta(**span))


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return base with changes laid over it, dict by dict."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


@dataclass
class Shop:
    """A running shop and everything a test needs to look into it."""

    service: Service
    clock: HandClock
    front: Front
    portal: BlockingPortal
    talkers: dict[str, Talker] = field(default_factory=dict)

    def post(self, body: bytes, query: Mapping[str, str], *, method: str = "POST") -> httpx.Response:
        """Send one request to the callback."""
        return self.request(method, "/wechat", content=body, params=dict(query))

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send one request to the app."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.front)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                return await client.request(method, path, **more)

        return self.portal.call(send)

    def talker(self, openid: str, mode: str = "plain") -> Talker:
        """Return somebody who talks to the shop as `openid`, in one of the three modes."""
        return self.talkers.setdefault(
            f"{openid}/{mode}", Talker(openid, KEYS, mode, self.post, lambda: int(self.clock.now().timestamp()))
        )

    def member(self, phone: str, *, points: int = 0, principal: int = 0, gift: int = 0, openid: str = "") -> int:
        """Put a member in the books who owns something; with `openid`, bound already."""
        service, now = self.service, self.clock.now()
        with service.database.transaction() as connection:
            member, key = identity.create(connection, service.vault, tier="普卡", now=now)
            identity.add_phone(connection, service.vault, member, key, phone, source="test", now=now)
            if openid:
                identity.add(connection, member, "openid", KEYS.app_id, openid, source="test", now=now)
            expires = end_of_day(add_months(now.date(), 24), service.config.shop.zone)
            for account, amount, other in (
                ("points", points, "issuer"),
                ("principal", principal, "cash"),
                ("gift", gift, "issuer"),
            ):
                if amount:
                    legs = (Leg(account, amount, member), Leg(other, -amount))
                    key_text = f"test:{member}:{account}"
                    ledger.post(
                        connection, Booking(key_text, "earn", "test", now, legs, "测试入账", expires_at=expires)
                    )
        return member

    def code_for(self, openid: str) -> tuple[str, str]:
        """Return (phone, code) of the newest SMS code waiting in the outbox for an openid."""
        from sqlalchemy import select

        from members.tables import Outbox, table

        outbox = table(Outbox)
        newest = (
            select(outbox.c.sealed)
            .where(outbox.c.openid == openid, outbox.c.kind == "code", outbox.c.sealed.is_not(None))
            .order_by(outbox.c.id.desc())
            .limit(1)
        )
        with self.service.database.reading() as connection:
            sealed = connection.execute(newest).scalar_one()
        found = json.loads(self.service.vault.unseal_system("code", sealed))
        return found["phone"], found["code"]


@contextmanager
def open_shop(
    folder: Path, url: str, changes: Mapping[str, Any] | None = None, *, clock: HandClock | None = None, **app: Any
) -> Iterator[Shop]:  # fmt: skip
    """Run a shop over a database; its scheduler is off unless `scheduler=True`. A shop opened again keeps its clock."""
    path = folder / "config.yaml"
    content = merged(merged(CONFIG, {"database": {"url": url}}), changes or {})
    path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")  # which is YAML, too, and sooner written
    clock = clock or HandClock()
    service = build(configuration.load(path, {}), path, clock=clock)
    service.webhook._deadline = PATIENCE_SECONDS  # a busy machine is no reason to answer later
    front = build_app(service, **{"scheduler": False, **app})
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(front.running.started()):
        yield Shop(service, clock, front, portal)
