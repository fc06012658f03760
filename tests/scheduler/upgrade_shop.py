"""The shop with a dearer milk, and a campaign that leads members on to what the night found for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import insert, select

from members import scores
from members.db import Database
from members.scores import Score
from members.tables import Order, OrderLine, Product, table
from scheduler.applying import Applied, apply_plan
from scheduler.plan import Plan, make_plan
from scheduler.rules import PushRules, TradeUp
from tests.scheduler.pack_shop import TODAY, PackShop
from tests.scheduler.small_shop import MONDAY, ZONE, push_rules

UP = "升级搭配"
PRODUCT_10 = {"title": "{product}九折", "percent": 10, "cap": 15, "scope": {"products": ["{product}"]}}
CAMPAIGN: dict[str, Any] = {
    "kind": "trade_up", "schedule": {"every": "week", "day": "monday", "at": "10:00"},
    "offer": {"template": "product-10"}, "say": "{member}您好,您常买{usual},不妨试试{product}:{coupon}",
    "channels": ["service", "next_reply"], "hold_out": "0%",
}  # fmt: skip
GOLD = ["premium", "milk-1", "gold-1", 0.1667, 500]
TEA = ["companion", "rice-1", "tea-1", 0.23, 2.4]
OpenUp = Callable[..., "UpgradeShop"]


def upgrade_rules(*, templates: dict[str, Any] | None = None, **campaign: Any) -> PushRules:
    """The rules of the shop with parts of its campaign replaced."""
    rules = push_rules(coupon_rules={"product-10": PRODUCT_10, **(templates or {})})
    return replace(rules, campaigns={**rules.campaigns, UP: TradeUp.model_validate({**CAMPAIGN, **campaign})})


class UpgradeShop(PackShop):
    """The shop with `gold-1`, a dearer milk."""

    def __init__(self, database: Database, rules: PushRules) -> None:
        super().__init__(database, rules)
        gold = {"sku": "gold-1", "name": "鲜奶金装", "category": "milk", "own_brand": False, "active": True}
        with database.transaction() as connection:
            connection.execute(insert(table(Product)), gold)

    def led(self, openid: str, *upgrades: list[Any], day: date = TODAY) -> int:
        """A member of whom the night found these, the gold milk when none are given."""
        member = self.member(openid)
        with self.database.transaction() as connection:
            scores.put_many(connection, [Score(member, day, upgrades=upgrades or (GOLD,))], now=MONDAY)
        return member

    def takes(self, member: int, sku: str, at: datetime) -> None:
        """The member buys one piece of an article."""
        orders, lines, products = table(Order), table(OrderLine), table(Product)
        with self.database.transaction() as connection:
            product = connection.execute(select(products.c.id).where(products.c.sku == sku)).scalar_one()
            self._orders += 1
            day = at.astimezone(ZONE).date()
            row = {"order_no": f"t{self._orders}", "member_id": member, "day": day, "total": 1500, "at": at}
            order = connection.execute(insert(orders).returning(orders.c.id), row).scalar_one()
            line = {"order_id": order, "line_no": 1, "product_id": product, "quantity": 1, "amount": 1500}
            connection.execute(insert(lines), line)

    def plan(self, now: datetime = MONDAY) -> Plan:
        """A plan of the campaign."""
        return make_plan(self.database, UP, self.rules, now)

    def apply(self, plan: Plan | None = None, now: datetime = MONDAY) -> Applied:
        """Apply a plan, or plan and apply at once."""
        return apply_plan(self.database, (plan or self.plan(now)).id, self.rules, now)


def morning(day: date, hour: int = 9) -> datetime:
    """The hour of a day in the shop's zone."""
    return datetime.combine(day, time(hour), ZONE)
