"""A small group of shops whose rules move every kind of value, and its empty books."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from members import coupons, identity, shops
from members.audit import Actor
from members.db import Database
from members.rules import BindingRules, CouponRule, LoyaltyRules, Rules, ShopRules, StaffRules
from members.vault import Vault

ZONE = ZoneInfo("Asia/Shanghai")
# a leap year's last days of February are near, and a midnight of the shop is at 16:00 UTC
START = datetime(2028, 1, 20, 1, 0, tzinfo=UTC)
APP = "wx-property"
TILL = Actor("till", store="s1", origin="api:till")
JOB = Actor("system", origin="job")
STORES = ("s1", "s2")

LOYALTY: dict[str, Any] = {
    "earn": {
        "points_per_yuan": 1,
        "bonuses": [
            {"name": "水果双倍", "multiplier": "2", "category": "fruit"},
            {"name": "满百加五", "points": 5, "over": 100},
        ],
        "exclude": ["tobacco"],
    },
    "reward": [{"points": 60, "coupon": "soup"}],
    "points_to_voucher": {"every": "1 month", "rate": "100 分 = 1 元", "at_least": 100, "valid": "20 days"},
    "partners": {"miles": {"title": "航空里程", "points": 10, "units": 3, "at_least": 30}},
    "expiry": {"months": 1},
    "balance": {"topup": [{"over": 100, "gift": 10}, {"over": 300, "gift": 45}], "topup_at_most": 1000},
    "tiers": [
        {"name": "普卡"},
        {"name": "银卡", "spend_12_months": 300, "earn_multiplier": "1.5", "perks": [{"name": "停车", "per_month": 1}]},
        {"name": "金卡", "spend_12_months": 900, "earn_multiplier": "2"},
    ],
    "tier_policy": {"keep": "1 month", "grace_days": 3},
    "gifts": {
        "on_present": {"points": 3, "once_per": "day"},
        "on_purchase": {"coupon": "tea", "over": 80},
        "on_total": {"spend": 250, "within": "2 months", "points": 20, "times": 2},
    },
    "checkin": {"points": 2, "streak": {3: 5}},
}
COUPONS: dict[str, Any] = {
    "off": {"title": "满50减10", "off": 10, "over": 50, "valid": "10 days", "stock": 6, "per_member": 3},
    "cash": {"title": "5元券", "off": 5, "valid": "1 days", "budget": 25, "transferable": True, "stack": "cash"},
    "tenth": {"title": "九折券", "percent": 10, "cap": 20, "valid": "7 days", "per_day": 3, "stack": "cash"},
    "soup": {"title": "例汤", "gift": "例汤", "cost": 3, "valid": "30 days", "stack": "gift"},
    "tea": {"title": "奶茶", "gift": "奶茶", "valid": "5 days", "stack": "gift", "stock": 8},
}


@dataclass(frozen=True)
class World:
    """Books under test: the database, what opens sealed fields, and the rules in force."""

    database: Database
    vault: Vault
    rules: Rules


def rules(loyalty: Mapping[str, Any] | None = None, extra: Mapping[str, Any] | None = None) -> Rules:
    """Return the rules, with sections of `loyalty` and coupon templates laid over them."""
    return Rules(
        shop=ShopRules.model_validate({"name": "测试商店", "stores": [{"id": s, "name": s} for s in STORES]}),
        loyalty=LoyaltyRules.model_validate({**LOYALTY, **(loyalty or {})}),
        coupons={code: CouponRule.model_validate(rule) for code, rule in {**COUPONS, **(extra or {})}.items()},
        binding=BindingRules(),
        staff=StaffRules(),
    )


VOUCHER_DAYS = 20


def open_world(database: Database, given: Rules, master: str) -> World:
    """Put stores and templates into books that have their schema."""
    with database.transaction() as connection:
        shops.sync_stores(connection, given.shop.stores)
        coupons.sync_templates(connection, given.coupons, given.loyalty.points_to_voucher, zone=given.shop.zone)
    return World(database, Vault({"k1": master}), given)


def add_member(world: World, number: int, now: datetime) -> int:
    """Add a member with a phone of that number; return the id."""
    with world.database.transaction() as connection:
        member, key = identity.create(connection, world.vault, tier="普卡", now=now)
        phone = phone_of(number)
        index, sealed = world.vault.blind_index("phone", phone), world.vault.seal(key, "phone", phone)
        identity.add(connection, member, "phone", "", index, source="test", sealed=sealed, now=now)
    return member


def phone_of(number: int) -> str:
    """Return the phone of the member of this number."""
    return f"+861380000{number:04d}"
