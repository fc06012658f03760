"""The sections of config.yaml that the books obey. Strict: an unknown key is an error."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from members.clock import add_months, end_of_day

SPAN = re.compile(r"^(\d{1,4})\s*(minutes?|hours?|days?|weeks?|months?|分钟|小时|天|周|个月)$")
UNITS = {"分钟": "minute", "小时": "hour", "天": "day", "周": "week", "个月": "month"}


class Section(BaseModel):
    """A part of config.yaml: unknown keys are errors, values never change after start."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time as marketers write it: `14 days`, `2 months`, `90 minutes`, `30天`."""

    count: int
    unit: str

    def after(self, day: date) -> date:
        """Return the date this span after `day` (whole days; less than a day counts as the same day)."""
        if self.unit == "month":
            return add_months(day, self.count)
        return day + timedelta(days=self.delta().days)

    def delta(self) -> timedelta:
        """Return the span as a duration; a month counts 30 days here."""
        factor = {"minute": 1, "hour": 60, "day": 1440, "week": 10080, "month": 43200}[self.unit]
        return timedelta(minutes=self.count * factor)


def _span(value: Any) -> Any:
    if isinstance(value, str) and (found := SPAN.match(value.strip())):
        unit = found[2]
        return Span(int(found[1]), UNITS.get(unit, unit.rstrip("s")))
    if isinstance(value, Span):
        return value
    raise ValueError("时间长度要写成「14 days」「2 months」「30天」这样")


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("不认识的时区,例如 Asia/Shanghai")
    return value


def _clock_time(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", value.strip()):
        hour, minute = value.strip().split(":")
        return time(int(hour), int(minute))
    if isinstance(value, time):
        return value
    raise ValueError('时刻要写成带引号的「"10:00"」')


def _percent(value: Any) -> Any:
    if isinstance(value, str) and (found := re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", value.strip())):
        return float(found[1]) / 100
    return value


SpanText = Annotated[Span, BeforeValidator(_span, json_schema_input_type=str)]
ZoneName = Annotated[str, AfterValidator(_zone)]
ClockTime = Annotated[time, BeforeValidator(_clock_time, json_schema_input_type=str)]
Share = Annotated[float, BeforeValidator(_percent, json_schema_input_type=str | float), Field(ge=0, le=1)]
Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\s]+$")]


class StoreRule(Section):
    """One shop."""

    id: Code
    name: str = Field(min_length=1)
    address: str = ""
    lat: float | None = Field(default=None, ge=-90, le=90)
    lon: float | None = Field(default=None, ge=-180, le=180)
    hours: str = ""
    phone: str = ""


class ShopRules(Section):
    """Who we are and when our day begins."""

    name: str = Field(min_length=1)
    time_zone: ZoneName = "Asia/Shanghai"
    day_start: ClockTime = time()
    stores: list[StoreRule] = []
    service_phone: str = ""

    @property
    def zone(self) -> ZoneInfo:
        """Return the shop's time zone."""
        return ZoneInfo(self.time_zone)


class EarnRule(Section):
    """Points for money spent."""

    points_per_yuan: int = Field(default=1, ge=0, le=1000)

    def points(self, total: int) -> int:
        """Return the points for `total` 分, rounded down."""
        return total * self.points_per_yuan // 100


class RewardRule(Section):
    """What enough points bring."""

    points: int = Field(gt=0)
    coupon: Code


class ExpiryRule(Section):
    """How long points live, and how early their end is announced."""

    months: int = Field(default=24, ge=1, le=120)
    notice_days: int = Field(default=30, ge=1, le=365)


class TierRule(Section):
    """One tier; the first has no condition."""

    name: str = Field(min_length=1)
    spend_12_months: int = Field(default=0, ge=0, description="元")
    perks: list[str] = []


class LoyaltyRules(Section):
    """Points, tiers and what they are good for."""

    earn: EarnRule = EarnRule()
    reward: RewardRule | None = None
    expiry: ExpiryRule = ExpiryRule()
    tiers: list[TierRule] = [TierRule(name="普卡")]

    @model_validator(mode="after")
    def _tiers_rise(self) -> "LoyaltyRules":
        floors = [tier.spend_12_months for tier in self.tiers]
        if not floors or floors[0] != 0 or floors != sorted(set(floors)):
            raise ValueError("tiers 第一档不能有门槛,之后的 spend_12_months 要逐档升高")
        return self


class ScopeRule(Section):
    """What a coupon applies to; empty means everything."""

    category: str = ""
    products: list[str] = []
    stores: list[str] = []


class CouponRule(Section):
    """One coupon template. Amounts in 元; `off` an amount off, `percent` a share off, `gift` a thing."""

    title: str = Field(min_length=1, max_length=40)
    off: int | None = Field(default=None, gt=0)
    over: int = Field(default=0, ge=0)
    percent: int | None = Field(default=None, gt=0, lt=100)
    cap: int | None = Field(default=None, gt=0)
    gift: str = ""
    scope: ScopeRule = ScopeRule()
    valid: SpanText = Span(14, "day")
    stock: int | None = Field(default=None, ge=0)
    per_member: int | None = Field(default=None, ge=1)
    how: str = Field(default="结账时出示券码即可使用", description="how to use it, one sentence")

    @model_validator(mode="after")
    def _one_benefit(self) -> "CouponRule":
        if sum(benefit not in (None, "") for benefit in (self.off, self.percent, self.gift)) != 1:
            raise ValueError("off、percent、gift 要写且只写一个")
        if self.off is not None and self.over and self.off > self.over:
            raise ValueError("减得比门槛还多:off 不能大于 over")
        return self

    def expires_at(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Return when a copy issued now stops being valid: the end of its last day."""
        return end_of_day(self.valid.after(now.astimezone(zone).date()), zone)


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
    """What one role may do in a shift."""

    coupons_per_shift: int = Field(default=50, ge=0)


class StaffRules(Section):
    """Roles and their limits."""

    limits: dict[Literal["cashier", "adviser", "manager", "head_office"], StaffLimits] = {}


class PrivacyRules(Section):
    """Master keys by id (the current one first) and how long traces are kept."""

    keys: dict[Code, str] = Field(min_length=1)
    keep_inbox: SpanText = Span(7, "day")


@dataclass(frozen=True, slots=True)
class Rules:
    """What the books and the conversation need of config.yaml."""

    shop: ShopRules
    loyalty: LoyaltyRules
    coupons: dict[str, CouponRule]
    binding: BindingRules
    staff: StaffRules
