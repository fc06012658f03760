"""A shop small enough to check by hand: members with an openid each, what they bought, and a wire that remembers."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select

from members import coupons, identity, people
from members.db import Database
from members.rules import BindingRules, CouponRule, LoyaltyRules, Rules, ShopRules, StaffRules
from members.segments import SegmentRule
from members.tables import Category, Coupon, Order, OrderLine, Outbox, Product, table
from members.vault import Vault
from recommend.rules import RecommendRules
from scheduler.channels import Content, Outcome, SendResult
from scheduler.rules import (
    PersonalOffer,
    PolicyRules,
    PushRules,
    Repurchase,
    ScheduleRules,
    SubscriptionRule,
)

APP = "wx-test"
ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 11, 16, 2, tzinfo=UTC)  # Monday, 10:00 in Shanghai
KEY = base64.b64encode(bytes(range(32))).decode()
MILK, RICE, FUEL = "milk", "rice", "fuel"
NAMES = {MILK: "鲜奶", RICE: "大米", FUEL: "汽油"}

COUPONS: dict[str, dict[str, Any]] = {
    "category-10": {"title": "{category}九折", "percent": 10, "cap": 15, "valid": "10 days"},
    "off-5": {"title": "满50减5", "off": 5, "over": 50},
}
OFFER: dict[str, Any] = {
    "kind": "personal_offer", "schedule": {"every": "week", "day": "monday", "at": "10:00"},
    "offer": {"template": "category-10", "plain": "off-5"}, "say": "{member}您好,您常买的{category}有优惠:{coupon}",
    "channels": ["service", "next_reply"], "hold_out": "0%",
}  # fmt: skip
REMINDER: dict[str, Any] = {
    "kind": "repurchase", "schedule": {"every": "day", "at": "10:00"}, "remind": {"days_ahead": 2, "confidence": 0.4},
    "offer": {"template": "category-10"}, "say": "{category}上次{last}买的,通常{days}天一次,给您留了{coupon}",
    "channels": ["service", "subscription", "next_reply"], "subscription": "补货提醒", "hold_out": "0%",
}  # fmt: skip
NOTICE = {"template_id": "sub-1", "title": "补货提醒", "fields": {"thing1": "{category}", "date2": "{last}"}}


def push_rules(
    *, offer: Mapping[str, Any] | None = None, reminder: Mapping[str, Any] | None = None,
    policy: Mapping[str, Any] | None = None, coupon_rules: Mapping[str, Any] | None = None,
) -> PushRules:  # fmt: skip
    """The rules of the small shop, with parts of its two campaigns replaced; nobody is held out unless asked for."""
    base = Rules(
        ShopRules(name="小店"), LoyaltyRules(),
        {code: CouponRule.model_validate(rule) for code, rule in {**COUPONS, **(coupon_rules or {})}.items()},
        BindingRules(), StaffRules(),
    )  # fmt: skip
    return PushRules(
        base=base,
        campaigns={
            "每周优惠": PersonalOffer.model_validate({**OFFER, **(offer or {})}),
            "复购提醒": Repurchase.model_validate({**REMINDER, **(reminder or {})}),
        },
        segments={"金卡": SegmentRule.model_validate({"tier": "金卡"})},
        policy=PolicyRules.model_validate({"hold_out": "0%", **(policy or {})}),
        schedule=ScheduleRules(),
        recommend=RecommendRules(exclude=["汽油"]),
        subscriptions={"补货提醒": SubscriptionRule.model_validate(NOTICE)},
        app_id=APP,
    )


@dataclass
class FakeWire:
    """Keeps what was sent and answers from a queue, with `accepted` once the queue is empty."""

    answers: list[SendResult] = field(default_factory=list)
    sent: list[tuple[str, str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def _answer(self, channel: str, to: str, what: Any, client_id: str) -> SendResult:
        with self.lock:
            self.sent.append((channel, to, what))
            self.ids.append(client_id)
            return self.answers.pop(0) if self.answers else SendResult(Outcome.ACCEPTED, "0", f"m{len(self.sent)}")

    def send_service(self, openid: str, content: Content, client_msg_id: str) -> SendResult:
        return self._answer("service", openid, content, client_msg_id)

    def send_template(
        self, openid: str, template_id: str, data: Mapping[str, str], url: str, client_msg_id: str
    ) -> SendResult:
        return self._answer("template", openid, data, client_msg_id)

    def send_subscription(self, openid: str, template_id: str, data: Mapping[str, str], page: str) -> SendResult:
        return self._answer("subscription", openid, data, template_id)

    def send_mass(self, openids: Sequence[str], content: Content, client_msg_id: str) -> SendResult:
        return self._answer("mass", ",".join(openids), content, client_msg_id)

    def send_sms(
        self, phone: str, template: str, params: Mapping[str, str], text: str, *, openid: str | None, message_id: str
    ) -> SendResult:
        return self._answer("sms", phone, text, message_id)


class SmallShop:
    """The books of the small shop and what tests do to them."""

    def __init__(self, database: Database, rules: PushRules) -> None:
        self.database, self.rules, self.vault = database, rules, Vault({"k1": KEY})
        self._orders = 0
        with database.transaction() as connection:
            categories = [{"code": code, "name": name, "department": ""} for code, name in NAMES.items()]
            connection.execute(insert(table(Category)), categories)
            rows = [
                {"sku": f"{code}-1", "name": f"{NAMES[code]}一号", "category": code, "own_brand": False, "active": True}
                for code in NAMES
            ]
            connection.execute(insert(table(Product)), rows)
            coupons.sync_templates(connection, rules.base.coupons)

    def member(self, openid: str | None = None, *, tier: str = "普卡", wrote: datetime | None = None) -> int:
        """A member, known by an openid that last wrote at `wrote`."""
        with self.database.transaction() as connection:
            made, _ = identity.create(connection, self.vault, tier=tier, now=MONDAY - timedelta(days=400))
            if openid is not None:
                identity.add(connection, made, "openid", APP, openid, source="test", now=MONDAY)
                people.touch(connection, [openid], "message", wrote or MONDAY - timedelta(days=30))
            return made

    def writes(self, openid: str, at: datetime) -> None:
        """The person sends a message."""
        with self.database.transaction() as connection:
            people.touch(connection, [openid], "message", at)

    def buys(self, member: int, category: str, *days: date, amount: int = 1000) -> None:
        """The member buys one piece of the category at noon of each day."""
        orders, lines, products = table(Order), table(OrderLine), table(Product)
        with self.database.transaction() as connection:
            product = connection.execute(select(products.c.id).where(products.c.category == category)).scalar_one()
            for day in days:
                self._orders += 1
                row = {
                    "order_no": f"o{self._orders}", "member_id": member, "day": day, "total": amount,
                    "at": datetime.combine(day, time(12), ZONE),
                }  # fmt: skip
                order = connection.execute(insert(orders).returning(orders.c.id), row).scalar_one()
                line = {"order_id": order, "line_no": 1, "product_id": product, "quantity": 1, "amount": amount}
                connection.execute(insert(lines), line)

    def outbox(self) -> list[Any]:
        """Every message in the outbox, oldest first."""
        with self.database.reading() as connection:
            rows = table(Outbox)
            return list(connection.execute(select(rows).order_by(rows.c.id)))

    def coupons(self) -> list[Any]:
        """Every coupon, oldest first."""
        with self.database.reading() as connection:
            rows = table(Coupon)
            return list(connection.execute(select(rows).order_by(rows.c.id)))


def ago(*days: int, today: date = date(2026, 11, 16)) -> list[date]:
    """The dates so many days before the Monday of the tests, ascending."""
    return sorted(today - timedelta(days=count) for count in days)
