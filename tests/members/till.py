"""A till and its books: sales and refunds as a shop rings them up, each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Connection, Row, select

from members import adoption, auditing, balance, buyers, coupons, identity, ledger, orders, refunds, replay, shops
from members.audit import Actor
from members.db import Database
from members.errors import MemberError
from members.orders import Buyer, NewLine, NewOrder, Taken
from members.refunds import Exchanged, NewRefund, Refunded, RefundLine
from members.rules import BindingRules, CouponRule, LoyaltyRules, Rules, ShopRules, StaffRules
from members.tables import AuditLog, Member, Order, OrderLine, Refund, table
from members.vault import Vault, generate_key

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)
APP = "wx-till"
TILL = Actor("api:till", "s1", "api:till")
SERIAL = count()
VAULT = Vault({"k1": generate_key()})
PHONE = "13800138000"
_members = table(Member)
LOYALTY: Mapping[str, Any] = {
    "balance": {"topup": [{"over": 100, "gift": 20}]},
    "tiers": [{"name": "普卡"}, {"name": "金卡", "spend_12_months": 1000}],
}
COUPONS: Mapping[str, Any] = {
    "off": {"title": "满100减20", "off": 20, "over": 100},
    "cash": {"title": "5元券", "off": 5, "stack": "cash"},
    "double": {"title": "双倍积分", "multiplier": 2, "stack": "points"},
    "milk": {"title": "牛奶九折", "percent": 10, "cap": 15, "scope": {"category": "牛奶"}},
    "bread": {"title": "免费面包", "free": {"products": ["bread"]}, "stack": "bread"},
    "soup": {"title": "例汤", "gift": "例汤", "stack": "gift"},
}


def rules_with(**loyalty: Any) -> Rules:
    """The rules of a shop in Shanghai with two stores and these parts of `loyalty`."""
    shop = {"name": "邻家生鲜", "stores": [{"id": "s1", "name": "一店", "brand": "鲜"}, {"id": "s2", "name": "二店"}]}
    return Rules(
        ShopRules.model_validate(shop), LoyaltyRules.model_validate({**LOYALTY, **loyalty}),
        {code: CouponRule.model_validate(rule) for code, rule in COUPONS.items()}, BindingRules(), StaffRules(),
    )  # fmt: skip


def refusal(deed: Callable[[], object]) -> str:
    """The code a deed is refused with."""
    with pytest.raises(MemberError) as refused:
        deed()
    return refused.value.code


def line(sku: str, amount: int, quantity: int = 1, **more: Any) -> NewLine:
    """A line of a receipt."""
    return NewLine(sku, sku, quantity, amount, **more)


@dataclass
class Till:
    """Books, rules and a clock; the hand moves forward by assigning to `now`."""

    database: Database
    rules: Rules = field(default_factory=rules_with)
    now: datetime = NOW

    def __post_init__(self) -> None:
        with self.transaction() as connection:
            shops.sync_stores(connection, self.rules.shop.stores)
            coupons.sync_templates(connection, self.rules.coupons)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction."""
        with self.database.transaction() as connection:
            yield connection

    def member(self, phone: str = "", *, principal: int = 0) -> int:
        """A member, with a balance if one is wanted (its gift by the rules on top)."""
        with self.transaction() as connection:
            member, key = identity.create(connection, VAULT, tier="普卡", now=self.now)
            if phone:
                index, sealed = VAULT.blind_index("phone", f"+86{phone}"), VAULT.seal(key, "phone", f"+86{phone}")
                identity.add(connection, member, "phone", "", index, source="test", sealed=sealed, now=self.now)
            if principal:
                balance.top_up(connection, self.rules, member, principal, key=f"top:{member}", by=TILL, now=self.now)
        return member

    def issue(self, member: int, template: str) -> str:
        """A copy of a template; its code."""
        with self.transaction() as connection:
            issued = coupons.issue(
                connection, template, self.rules.coupons[template], member, key=f"issue:{next(SERIAL)}", by="test",
                reason="test", zone=self.rules.shop.zone, now=self.now,
            )  # fmt: skip
        return issued.code

    def order(self, member: int | Buyer | None, total: int, lines: Sequence[NewLine] = (), **more: Any) -> NewOrder:
        """What the till says about a sale."""
        buyer = Buyer("member", str(member)) if isinstance(member, int) else member
        said = {"order_no": f"n{next(SERIAL)}", "scope": "s1", "store": "s1", "at": self.now, **more}
        return NewOrder(buyer=buyer, lines=list(lines), total=total, **said)

    def sell(self, member: int | Buyer | None, total: int, lines: Sequence[NewLine] = (), **more: Any) -> Taken:
        """Ring up a sale."""
        return self.take(self.order(member, total, lines, **more))

    def take(self, order: NewOrder, **more: Any) -> Taken:
        """Ring up what the till says."""
        with self.transaction() as connection:
            return orders.take(connection, VAULT, self.rules, order, app=APP, by=TILL, now=self.now, **more)

    def refund(
        self, order_no: str, amount: int | None = None, lines: Sequence[RefundLine] = (), *, no: str = "",
        rules: Rules | None = None,
    ) -> Refunded:  # fmt: skip
        """Give money back."""
        number = no or f"r{next(SERIAL)}"
        wanted = NewRefund("s1", order_no, number, amount, lines, self.now)
        with self.transaction() as connection:
            return refunds.refund(connection, VAULT, rules or self.rules, wanted, by=TILL, now=self.now)

    def exchange(self, returned: NewRefund, bought: NewOrder) -> Exchanged:
        """Take back and sell."""
        with self.transaction() as connection:
            return refunds.exchange(connection, VAULT, self.rules, returned, bought, app=APP, by=TILL, now=self.now)

    def void(self, order: int) -> Refunded:
        """Undo a sale."""
        with self.transaction() as connection:
            return orders.void(connection, VAULT, self.rules, order, by=TILL, now=self.now)

    def adopt(self, member: int) -> int:
        """Attach what the member bought as a stranger."""
        with self.transaction() as connection:
            marks = buyers.marks_of(connection, member, APP)
            return adoption.adopt(connection, VAULT, self.rules, member, marks, app=APP, by=TILL, now=self.now)

    def owned(self, member: int) -> dict[str, int]:
        """What the member has, by account, where it is not zero."""
        with self.database.reading() as connection:
            return {kind: many for kind, many in ledger.balances(connection, member).items() if many}

    def tier(self, member: int) -> str:
        """The member's tier."""
        with self.database.reading() as connection:
            return str(connection.execute(select(_members.c.tier).where(_members.c.id == member)).scalar_one())

    def row(self, order: int) -> Row[Any]:
        """An order in the books."""
        with self.database.reading() as connection:
            return connection.execute(select(table(Order)).where(table(Order).c.id == order)).one()

    def lines(self, order: int) -> list[Row[Any]]:
        """Its lines."""
        rows = table(OrderLine)
        with self.database.reading() as connection:
            return list(connection.execute(select(rows).where(rows.c.order_id == order).order_by(rows.c.line_no)))

    def refunds(self, order: int) -> list[Row[Any]]:
        """Its refunds."""
        rows = table(Refund)
        with self.database.reading() as connection:
            return list(connection.execute(select(rows).where(rows.c.order_id == order).order_by(rows.c.id)))

    def deeds(self, action: str) -> list[Row[Any]]:
        """The audit rows of an action."""
        log = table(AuditLog)
        with self.database.reading() as connection:
            return list(connection.execute(select(log).where(log.c.action == action).order_by(log.c.id)))

    def count(self, rows: Any) -> int:
        """How many rows a table has."""
        with self.database.reading() as connection:
            return len(connection.execute(select(table(rows))).all())

    def sound(self) -> None:
        """Every invariant holds, and the books rebuilt from zero are the same."""
        with self.database.reading() as connection:
            assert auditing.breaches(connection, now=self.now) == []
            assert replay.rebuild(connection) == replay.stored(connection)
