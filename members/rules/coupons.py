"""Coupon templates: what a copy is worth, on what, when, for whom, and how many there may be."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

from pydantic import Field, field_serializer, model_validator

from members.clock import end_of_day
from members.rules.base import ClockTime, DayText, Hours, HoursText, Multiplier, Section, Span, SpanText, Weekday


class ScopeRule(Section):
    """What a coupon applies to, where and when; what is left empty does not matter."""

    category: str = ""
    products: list[str] = []
    brands: list[str] = []
    stores: list[str] = []
    days: list[Weekday] = []
    hours: HoursText | None = None
    exclude: list[str] = Field(default=[], description="categories or products it does not apply to")

    @field_serializer("hours", when_used="json")
    def _hours(self, hours: Hours | None) -> str | None:
        return None if hours is None else f"{hours.first:%H:%M}-{hours.last:%H:%M}"


class FreeItemRule(Section):
    """One of these articles is free, the cheapest in the basket; empty: any article within the scope."""

    products: list[str] = []
    category: str = ""
    items: int = Field(default=1, ge=1, le=10)


class BundleRule(Section):
    """These articles together, one of each, for one price in 元."""

    products: list[str] = Field(min_length=2, max_length=6)
    price: int = Field(ge=0, description="元")


class SlotRule(Section):
    """When an experience takes place: at these times on these days (empty: every day), so many places each."""

    at: list[ClockTime] = Field(min_length=1)
    days: list[Weekday] = []
    capacity: int = Field(ge=1)
    days_ahead: int = Field(default=14, ge=1, le=90)

    @field_serializer("at", when_used="json")
    def _at(self, at: list[time]) -> list[str]:
        return [f"{one:%H:%M}" for one in at]


class CouponRule(Section):
    """One coupon template, amounts in 元, with one benefit: `off` an amount off, `percent` a share off (`cap` at most),
    `gift` a thing, `free` an article of the basket, `bundle` articles at one price, `multiplier` more points for the
    order, `experience` an appointment in one of `slots`.

    Valid `valid` long from issue (from `since` when issued earlier), or until `until`. `stock` copies and `budget` 元
    at most; coupons of one `stack` group exclude each other, those of different groups may be used together.
    """

    title: str = Field(min_length=1, max_length=40)
    off: int | None = Field(default=None, gt=0)
    over: int = Field(default=0, ge=0)
    percent: int | None = Field(default=None, gt=0, lt=100)
    cap: int | None = Field(default=None, gt=0)
    gift: str = ""
    free: FreeItemRule | None = None
    bundle: BundleRule | None = None
    multiplier: Multiplier | None = None
    experience: str = ""
    slots: SlotRule | None = None
    scope: ScopeRule = ScopeRule()
    valid: SpanText = Span(14, "day")
    since: DayText | None = None
    until: DayText | None = None
    stock: int | None = Field(default=None, ge=0)
    budget: int | None = Field(default=None, ge=0, description="元, all copies together")
    cost: int = Field(default=0, ge=0, description="元, what a gift, free article, bundle or experience costs at most")
    per_member: int | None = Field(default=None, ge=1)
    per_day: int | None = Field(default=None, ge=1, description="copies issued on one business day")
    stack: str = "default"
    transferable: bool = False
    notice_days: int = Field(default=3, ge=0, le=60)
    how: str = Field(default="结账时出示券码即可使用", description="how to use it, one sentence")

    @model_validator(mode="after")
    def _one_benefit(self) -> "CouponRule":
        benefits = (self.off, self.percent, self.gift, self.free, self.bundle, self.multiplier, self.experience)
        if sum(benefit not in (None, "") for benefit in benefits) != 1:
            raise ValueError("off、percent、gift、free、bundle、multiplier、experience 要写且只写一个")
        if self.off is not None and self.over and self.off > self.over:
            raise ValueError("减得比门槛还多:off 不能大于 over")
        if (self.slots is None) != (not self.experience):
            raise ValueError("experience(体验)要写 slots(时段),别的券不写")
        if self.since is not None and self.until is not None and self.since > self.until:
            raise ValueError("since 比 until 晚,没有一天有效")
        if self.budget is not None and not self.worst_case():
            raise ValueError("写了 budget 就要知道一张券最多花多少:percent 要写 cap,送的东西要写 cost")
        return self

    @field_serializer("valid", when_used="json")
    def _valid(self, valid: Span) -> str:
        return f"{valid.count} {valid.unit}s"

    @property
    def thing(self) -> bool:
        """Tell whether it takes nothing off an order: a gift, more points, an experience; its cost is `cost` then."""
        return bool(self.gift or self.experience or self.multiplier is not None)

    def worst_case(self, face: int | None = None) -> int | None:
        """Return what one copy (of this `face` value) costs at most, in 分; None when nobody knows."""
        if self.off is not None:
            return self.off * 100 if face is None else face
        if self.percent is not None:
            return None if self.cap is None else self.cap * 100
        return self.cost * 100

    def expires_at(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Return when a copy issued now stops being valid: the end of its last day."""
        if self.until is not None:
            return end_of_day(self.until, zone)
        today = now.astimezone(zone).date()
        return end_of_day(self.valid.after(today if self.since is None else max(today, self.since)), zone)
