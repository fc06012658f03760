"""Looking into the books, and putting into them what a shop needs before it opens."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import func, make_url, select

from bot.service import Service
from members import auditing, conversations, identity, shops
from members.conversations import Stand
from members.tables import Coupon, CouponTemplate, Follower, Inbox, MemberTag, Outbox, Verification, table

inbox, outbox, coupons = table(Inbox), table(Outbox), table(Coupon)
templates, verifications, followers = table(CouponTemplate), table(Verification), table(Follower)
tags = table(MemberTag)
CASHIER = "o-cashier"


def open_shop_books(service: Service, phones: int = 1) -> list[str]:
    """Bring the schema up to date, add a cashier and members without WeChat; return the members' phones."""
    service.prepare()
    typed = [f"1380013{number:04d}" for number in range(8000, 8000 + phones)]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with service.database.transaction() as connection:
        shops.add_staff(connection, openid=CASHIER, name="小李", role="manager", store=None, now=now)
        for phone in typed:
            member, key = identity.create(connection, service.vault, tier="普卡", now=now)
            identity.add_phone(connection, service.vault, member, key, f"+86{phone}", source="test", now=now)
    return typed


def await_confirm(service: Service, *, openid: str = CASHIER, template: str = "off-20-over-100") -> None:
    """Let the bot wait for this person's 确认 of a coupon for the first member: one word moves value then."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with service.database.transaction() as connection:
        member = connection.execute(select(func.min(identity.members.c.id))).scalar_one()
        params = {"template": template, "count": 1, "reason": "test"}
        data = {"do": "errand", "kind": "issue", "member": member, "params": params, "amount": 0, "count": 1}
        stand = Stand("staff.confirm", {**data, "key": f"staff:{openid}"}, None, now + timedelta(days=36500))
        conversations.put(connection, openid, stand)


def count(service: Service, what: Any, *where: Any) -> int:
    """How many rows of a table satisfy the conditions."""
    with service.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(what).where(*where)).scalar_one())


def rows(service: Service, what: Any, *where: Any) -> list[Any]:
    """The rows of a table that satisfy the conditions."""
    with service.database.reading() as connection:
        return list(connection.execute(select(what).where(*where)))


def breaches(service: Service) -> list[auditing.Breach]:
    """What the audit finds."""
    with service.database.reading() as connection:
        return auditing.breaches(connection, now=datetime.now(UTC))


@contextmanager
def stalled(url: str) -> Iterator[None]:
    """The database lets nobody book anything for as long as this lasts."""
    place = make_url(url)
    if place.get_backend_name() == "sqlite":
        other: Any = sqlite3.connect(str(place.database), isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
    else:
        plain = place.set(drivername="postgresql").render_as_string(hide_password=False)
        other = psycopg.connect(plain)
        other.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
    try:
        yield
    finally:
        other.rollback()
        other.close()


def eventually(what: Callable[[], bool], patience: float = 60.0) -> bool:
    """Wait until something holds; False when it never does."""
    until = time.monotonic() + patience
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
