"""The shop with slow tea, sold together with milk at one price, and members who may want both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from scheduler.applying import Applied, apply_plan
from scheduler.plan import Plan, make_plan
from scheduler.rules import Bundle, PushRules
from tests.scheduler import pack_shop
from tests.scheduler.pack_shop import PackShop
from tests.scheduler.small_shop import MONDAY, ago, push_rules

NAME = "茶叶套餐"
TEA_MILK = {"title": "茶叶配鲜奶19元", "bundle": {"products": ["tea-1", "milk-1"], "price": 19}, "cost": 6}
CAMPAIGN: dict[str, Any] = {
    "kind": "bundle", "schedule": {"every": "week", "day": "monday", "at": "10:00"}, "offer": {"template": "tea-milk"},
    "say": "{member}您好,{product}一起买更划算:{coupon}", "channels": ["service", "next_reply"], "hold_out": "0%",
}  # fmt: skip
OpenBundle = Callable[..., "BundleShop"]


def bundle_rules(*, templates: dict[str, Any] | None = None, **campaign: Any) -> PushRules:
    """The rules of the shop with parts of its campaign replaced."""
    rules = push_rules(coupon_rules={"tea-milk": TEA_MILK, **(templates or {})})
    return replace(rules, campaigns={**rules.campaigns, NAME: Bundle.model_validate({**CAMPAIGN, **campaign})})


class BundleShop(PackShop):
    """Of 15 who can't be reached three have bought tea with egg and milk, the others soap."""

    def __init__(self, database: Any, rules: PushRules) -> None:
        super().__init__(database, rules)
        for _ in range(3):
            member = self.member(None)
            self.receipt(member, *ago(60), tea=8000, egg=2000, milk=3000)
        for _ in range(12):
            self.receipt(self.member(None), *ago(60), soap=1500)

    def buys(self, openid: str | None, *days: date, **amounts: int) -> int:
        """A member who bought these on each of the days, the day before yesterday when none are given."""
        member = self.member(openid)
        for day in days or ago(2):
            self.receipt(member, day, **amounts)
        return member

    def plan(self, now: datetime = MONDAY) -> Plan:
        """A plan of the campaign."""
        return make_plan(self.database, NAME, self.rules, now)

    def apply(self, plan: Plan | None = None, now: datetime = MONDAY) -> Applied:
        """Apply a plan, or plan and apply at once."""
        return apply_plan(self.database, (plan or self.plan(now)).id, self.rules, now)


def gone(made: Plan) -> dict[str, int]:
    """How many members left at each step of the funnel, but for the 15 whom no channel reaches."""
    return {name: many for name, many in pack_shop.gone(made).items() if (name, many) != ("没有合法渠道可达", 15)}
