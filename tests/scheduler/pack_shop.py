"""The small shop with more on its shelves, a coupon pack, and members whose receipts can be reckoned by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import insert, select, update

from members import consent, scores
from members.db import Database
from members.scores import Score
from members.tables import Audience, Category, Decision, Order, OrderLine, Product, table
from scheduler.applying import Applied, apply_plan
from scheduler.plan import Plan, make_plan
from scheduler.rules import CouponPack, PushRules
from tests.scheduler.small_shop import MONDAY, ZONE, SmallShop, ago, push_rules

PACK = "双月券包"
MORE = {"tea": "茶叶", "egg": "鸡蛋", "fish": "鲜鱼", "soap": "肥皂"}
TODAY = date(2026, 11, 16)
TEMPLATES: dict[str, dict[str, Any]] = {
    "category-10": {"title": "{category}九折", "percent": 10, "cap": 15, "valid": "10 days",
                    "scope": {"category": "{category}"}},
    "off-5-over-50": {"title": "满50减5", "off": 5, "over": 50},
    "off-10-over-100": {"title": "满100减10", "off": 10, "over": 100},
    "off-20-over-150": {"title": "满150减20", "off": 20, "over": 150},
}  # fmt: skip
CAMPAIGN: dict[str, Any] = {
    "kind": "coupon_pack", "schedule": {"every": "2 months", "day": 1, "at": "10:00"},
    "pack": {"product_coupons": 10, "spend_and_save": 1, "budget": 2000},
    "offer": {"product": ["category-10"], "spend": ["off-5-over-50", "off-10-over-100", "off-20-over-150"]},
    "say": "{member}您好,为您选了{coupon}", "channels": ["service", "next_reply"], "hold_out": "0%",
}  # fmt: skip


def pack_rules(
    *, pack: Mapping[str, Any] | None = None, offer: Mapping[str, Any] | None = None,
    templates: Mapping[str, Any] | None = None, policy: Mapping[str, Any] | None = None, **campaign: Any,
) -> PushRules:  # fmt: skip
    """The rules of the shop with parts of its pack replaced."""
    written = {
        **CAMPAIGN, "pack": {**CAMPAIGN["pack"], **(pack or {})}, "offer": {**CAMPAIGN["offer"], **(offer or {})},
        **campaign,
    }  # fmt: skip
    rules = push_rules(coupon_rules={**TEMPLATES, **(templates or {})}, policy=policy)
    return replace(rules, campaigns={**rules.campaigns, PACK: CouponPack.model_validate(written)})


class PackShop(SmallShop):
    """The small shop with four categories more."""

    def __init__(self, database: Database, rules: PushRules) -> None:
        super().__init__(database, rules)
        with database.transaction() as connection:
            connection.execute(
                insert(table(Category)), [{"code": code, "name": name, "department": ""} for code, name in MORE.items()]
            )
            rows = [
                {"sku": f"{code}-1", "name": f"{name}一号", "category": code, "own_brand": False, "active": True}
                for code, name in MORE.items()
            ]
            connection.execute(insert(table(Product)), rows)

    def receipt(self, member: int, day: date, **amounts: int) -> None:
        """The member buys for so much (分) of each category on one receipt."""
        orders, lines, products = table(Order), table(OrderLine), table(Product)
        with self.database.transaction() as connection:
            sold = {row.category: row.id for row in connection.execute(select(products.c.category, products.c.id))}
            self._orders += 1
            row = {
                "order_no": f"o{self._orders}", "member_id": member, "day": day, "total": sum(amounts.values()),
                "at": datetime.combine(day, time(12), ZONE),
            }  # fmt: skip
            order = connection.execute(insert(orders).returning(orders.c.id), row).scalar_one()
            connection.execute(
                insert(lines),
                [
                    {"order_id": order, "line_no": no, "product_id": sold[code], "quantity": 1, "amount": amount}
                    for no, (code, amount) in enumerate(amounts.items(), 1)
                ],
            )

    def regular(self, openid: str, *, tier: str = "普卡", **amounts: int) -> int:
        """A member who has bought the same four times lately."""
        member = self.member(openid, tier=tier)
        for day in ago(22, 15, 8, 3):
            self.receipt(member, day, **(amounts or {"milk": 3000, "rice": 5000}))
        return member

    def crowd(self) -> None:
        """Three buyers of everything whom no campaign reaches: what the shop counts by."""
        for _ in range(3):
            member = self.member(None)
            self.receipt(member, *ago(5), milk=3000, rice=5000, tea=8000, egg=2000, fish=6000, soap=1500, fuel=9000)

    def scored(self, member: int, *suggestions: tuple[str, float, str, str]) -> None:
        """The night suggests (sku, chance, kind, words)."""
        found = [[sku, chance, 0.1, 0.1, kind, words] for sku, chance, kind, words in suggestions]
        with self.database.transaction() as connection:
            scores.put_many(connection, [Score(member, TODAY, found, [])], now=MONDAY)

    def plan(self, now: datetime = MONDAY) -> Plan:
        """A plan of the pack."""
        return make_plan(self.database, PACK, self.rules, now)

    def apply(self, plan: Plan | None = None, now: datetime = MONDAY) -> Applied:
        """Apply a plan, or plan and apply at once."""
        return apply_plan(self.database, (plan or self.plan(now)).id, self.rules, now)

    def decided(self) -> list[Any]:
        """Every decision, oldest first."""
        return self.rows(Decision)

    def audience(self) -> list[Any]:
        """Every row of every plan."""
        return self.rows(Audience)

    def rows(self, model: Any) -> list[Any]:
        """Every row of a table by its key."""
        rows = table(model)
        with self.database.reading() as connection:
            return list(connection.execute(select(rows).order_by(*rows.primary_key)))


def gone(made: Plan) -> dict[str, int]:
    """How many members left at each step of the funnel that took any."""
    return {step.name: step.gone for step in made.steps if step.gone}


def no_more_personal(shop: SmallShop, member: int) -> None:
    """The member wants nothing personal from now on."""
    with shop.database.transaction() as connection:
        consent.personalise(connection, member, False, source="test", now=MONDAY)


def mute(shop: SmallShop, member: int) -> None:
    """The member wants no marketing from now on."""
    with shop.database.transaction() as connection:
        consent.answer(connection, consent.of_member(member), consent.MARKETING, False, source="test", now=MONDAY)


def set_product(shop: SmallShop, sku: str, /, **values: Any) -> None:
    """Change an article."""
    products = table(Product)
    with shop.database.transaction() as connection:
        connection.execute(update(products).where(products.c.sku == sku).values(**values))
