"""The shop: who we are, where, and when our day begins; how codes are sent; who serves; how long traces stay."""

from datetime import time
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from members.rules.base import ClockTime, Code, Hours, HoursText, Section, Span, SpanText, ZoneName

Role = Literal["cashier", "adviser", "manager", "head_office"]


class StoreRule(Section):
    """One shop; `brand` is what it carries where a group has several."""

    id: Code
    name: str = Field(min_length=1)
    address: str = ""
    lat: float | None = Field(default=None, ge=-90, le=90)
    lon: float | None = Field(default=None, ge=-180, le=180)
    hours: str = ""
    phone: str = ""
    brand: str = ""


class ServiceRules(Section):
    """Whether 人工 reaches the platform's customer service, when somebody sits there, and how long the bot is silent.

    30 minutes is what the platform keeps a session open for when nobody closes it.
    """

    transfer: bool = True
    hours: HoursText = Hours(time(9), time(21))
    pause_minutes: int = Field(default=30, ge=1, le=720)


class ShopRules(Section):
    """Who we are and when our day begins."""

    name: str = Field(min_length=1)
    time_zone: ZoneName = "Asia/Shanghai"
    day_start: ClockTime = time()
    brands: list[str] = []
    stores: list[StoreRule] = []
    service_phone: str = ""
    service: ServiceRules = ServiceRules()

    @property
    def zone(self) -> ZoneInfo:
        """Return the shop's time zone."""
        return ZoneInfo(self.time_zone)


class BindingRules(Section):
    """Limits around the SMS code, as a careful bank would set them."""

    code_minutes: int = Field(default=5, ge=1, le=30)
    cool_down_seconds: int = Field(default=60, ge=1)
    per_openid_day: int = Field(default=10, ge=1)
    per_phone_hour: int = Field(default=5, ge=1)
    per_phone_day: int = Field(default=10, ge=1)
    all_per_minute: int = Field(default=100, ge=1)
    all_per_day: int = Field(default=20000, ge=1)
    wrong_tries: int = Field(default=5, ge=1, le=10)
    lock_minutes: int = Field(default=30, ge=1)
    openids_per_member: int = Field(default=3, ge=1, le=10)


class StaffLimits(Section):
    """What one role may do; None is no limit. Points are points, everything in 元 is money.

    `…_per_shift` counts one person's business day, `per_member_per_day` one person's deeds for one member;
    `adjust_points`, `sale`, `topup`, `refund` bound a single deed; above `four_eyes_over…` a manager must approve.
    """

    coupons_per_shift: int | None = Field(default=50, ge=0)
    adjust_points: int | None = Field(default=None, ge=0)
    adjust_points_per_shift: int | None = Field(default=None, ge=0)
    sale: int | None = Field(default=None, ge=0, description="元")
    topup: int | None = Field(default=None, ge=0, description="元")
    topup_per_shift: int | None = Field(default=None, ge=0, description="元")
    refund: int | None = Field(default=None, ge=0, description="元")
    refund_per_shift: int | None = Field(default=None, ge=0, description="元")
    per_member_per_day: int | None = Field(default=None, ge=0)
    four_eyes_over: int | None = Field(default=None, ge=0, description="points")
    four_eyes_over_yuan: int | None = Field(default=None, ge=0, description="元, top-ups and refunds")
    four_eyes_over_coupons: int | None = Field(default=None, ge=0, description="coupons issued at once")


class StoreLimits(Section):
    """What one store may do on one business day, whoever does it; None is no limit."""

    coupons_per_day: int | None = Field(default=None, ge=0)
    adjust_points_per_day: int | None = Field(default=None, ge=0)
    topup_per_day: int | None = Field(default=None, ge=0, description="元")
    refund_per_day: int | None = Field(default=None, ge=0, description="元")


class StaffRules(Section):
    """Roles and their limits, how long a deed can be undone, approved or an invite used, and what guessing costs."""

    limits: dict[Role, StaffLimits] = {}
    store_limits: StoreLimits = StoreLimits()
    undo_minutes: int = Field(default=15, ge=0, le=1440)
    confirm_minutes: int = Field(default=5, ge=1, le=60)
    approval_minutes: int = Field(default=60, ge=1, le=1440)
    invite_hours: int = Field(default=48, ge=1, le=720)
    coupons_at_once: int = Field(default=5, ge=1, le=100)
    receipt_at: ClockTime = time(22, 0)
    wrong_codes: int = Field(default=10, ge=1, description="wrong coupon codes in ten minutes before the lock")
    lock_minutes: int = Field(default=30, ge=1)

    def of(self, role: str) -> StaffLimits:
        """Return the limits of a role."""
        return {str(name): limits for name, limits in self.limits.items()}.get(role, StaffLimits())


class PrivacyPromises(Section):
    """What a member is promised: how long an export's link lives and how often it opens, and how long 注销 cools down.

    PIPL art. 45 and 47 ask for both without delay; the platforms' rules for apps set 15 days as the most.
    """

    export_hours: int = Field(default=24, ge=1, le=168)
    export_fetches: int = Field(default=10, ge=1, le=100)
    erase_days: int = Field(default=7, ge=1, le=15)


class PrivacyRules(PrivacyPromises):
    """Master keys by id (the current one first), how long traces are kept, and what members are promised."""

    keys: dict[Code, str] = Field(min_length=1)
    keep_inbox: SpanText = Span(7, "day")
