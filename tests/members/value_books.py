"""Books with one rule set and a few members, for tests of points and balance; every deed has a key of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert, select

from members import auditing, coupons, identity, ledger, points, replay
from members.audit import Actor
from members.db import Database
from members.rules import BindingRules, CouponRule, LoyaltyRules, Rules, ShopRules, StaffRules
from members.tables import AuditLog, Order, PointLot, table
from members.vault import Vault, generate_key

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
DAY = timedelta(days=1)
BY = Actor("staff:7", "s1", "test")
VAULT = Vault({"k1": generate_key()})
SERIAL = count()
COUPONS = {"soup": {"title": "免费例汤", "gift": "例汤", "cost": 8}, "off-5": {"title": "5元券", "off": 5}}


def rules_with(**loyalty: Any) -> Rules:
    """The rules of a shop in Shanghai with these parts of `loyalty`."""
    templates = {code: CouponRule.model_validate(rule) for code, rule in COUPONS.items()}
    policy = LoyaltyRules.model_validate({"reward": [{"points": 300, "coupon": "soup"}], **loyalty})
    return Rules(ShopRules(name="邻家生鲜"), policy, templates, BindingRules(), StaffRules())


class Books:
    """What one test does to one member after the other, each deed in a transaction of its own."""

    def __init__(self, database: Database, rules: Rules | None = None) -> None:
        self.database, self.rules = database, rules or rules_with()
        with database.transaction() as connection:
            coupons.sync_templates(connection, self.rules.coupons)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction."""
        with self.database.transaction() as connection:
            yield connection

    def member(self) -> int:
        """A new member."""
        with self.transaction() as connection:
            return identity.create(connection, VAULT, tier="普卡", now=NOW)[0]

    def order(self, member: int, *, total: int = 10_000, at: datetime = NOW) -> int:
        """A receipt without lines."""
        row = {
            "order_no": f"n{next(SERIAL)}", "scope": "", "member_id": member, "at": at, "day": date(2026, 3, 2),
            "total": total, "discount": 0, "state": "paid", "buyer": "", "source": "test",
        }  # fmt: skip
        with self.transaction() as connection:
            return int(connection.execute(insert(table(Order)).returning(table(Order).c.id), row).scalar_one())

    def earn(
        self, member: int, many: int, *, at: datetime = NOW, order: int | None = None, pending: bool = False
    ) -> int:
        """Points for a purchase; the movement."""
        with self.transaction() as connection:
            return points.give(
                connection, self.rules, member, many, key=f"earn:{next(SERIAL)}", kind="earn", by=BY, reason="消费",
                now=at, order=order, pending=pending,
            )  # fmt: skip

    def spend(self, member: int, many: int, *, at: datetime = NOW) -> int:
        """Points for a reward; the movement."""
        with self.transaction() as connection:
            return points.spend(connection, member, many, key=f"spend:{next(SERIAL)}", by=BY, reason="兑换", now=at)

    def take_back(
        self,
        member: int,
        many: int,
        *,
        order: int | None,
        at: datetime = NOW,
        key: str = "",
        rules: Rules | None = None,
    ) -> int:
        """A claw-back; what it took."""
        with self.transaction() as connection:
            return points.take_back(
                connection, rules or self.rules, member, many, order=order, key=key or f"refund:{next(SERIAL)}", by=BY,
                reason="退货", now=at,
            )  # fmt: skip

    def expire(self, at: datetime) -> int:
        """The nightly job; how many points ran out."""
        with self.transaction() as connection:
            return sum(gone for _, gone in ledger.expire_points(connection, at))

    def mature(self, at: datetime) -> int:
        """The nightly job; how many points became usable."""
        with self.transaction() as connection:
            return sum(many for _, many in points.mature(connection, self.rules, at))

    def undo(self, movement: int, *, at: datetime = NOW) -> int:
        """A reversal; its movement."""
        with self.transaction() as connection:
            return points.undo(connection, self.rules, movement, by=BY, reason="撤销", now=at)

    def owned(self, member: int) -> dict[str, int]:
        """What the member has, by account, where it is not zero."""
        with self.database.reading() as connection:
            return {kind: many for kind, many in ledger.balances(connection, member).items() if many}

    def lots(self, member: int) -> list[tuple[str, int, int]]:
        """Every lot of a member: account, amount, what is left."""
        lot = table(PointLot)
        wanted = (
            select(lot.c.account, lot.c.amount, lot.c.remaining).where(lot.c.member_id == member).order_by(lot.c.id)
        )
        with self.database.reading() as connection:
            return [tuple(row) for row in connection.execute(wanted)]

    def deeds(self, action: str) -> list[Mapping[str, Any]]:
        """The audit rows of an action."""
        log = table(AuditLog)
        with self.database.reading() as connection:
            return [
                dict(row._mapping)
                for row in connection.execute(select(log).where(log.c.action == action).order_by(log.c.id))
            ]

    def sound(self, at: datetime = NOW) -> bool:
        """Whether every invariant holds and the books rebuilt from zero are the same."""
        with self.database.reading() as connection:
            assert auditing.breaches(connection, now=at) == []
            assert replay.rebuild(connection) == replay.stored(connection)
        return True
