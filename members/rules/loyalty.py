"""Points, balance, gifts and tiers: what moves them and by how much."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from members.rules.base import (
    Code,
    DayText,
    HoursText,
    Listed,
    Multiplier,
    Section,
    Share,
    Span,
    SpanText,
    Weekday,
)
from members.rules.coupons import CouponRule
from members.rules.gifts import CheckinRule, GiftRules, ReferralRule
from members.rules.tiers import PaidPlan, TierPolicy, TierRule

VOUCHER = "points-voucher"
RATE = re.compile(r"^\s*(\d{1,7})\s*分\s*=\s*(\d{1,5})(?:\.(\d{1,2}))?\s*元\s*$")


class EarnBonus(Section):
    """More points for some purchases: `multiplier` on the points of what matches, or `points` more for the order.

    What is left empty does not matter; `over` (元) is what the matching lines must come to.
    """

    name: str = Field(min_length=1)
    multiplier: Multiplier | None = None
    points: int = Field(default=0, ge=0, le=1_000_000)
    category: str = ""
    brands: list[str] = []
    products: list[str] = []
    stores: list[str] = []
    tiers: list[str] = []
    days: list[Weekday] = []
    hours: HoursText | None = None
    since: DayText | None = None
    until: DayText | None = None
    over: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _gives(self) -> "EarnBonus":
        if (self.multiplier is None) == (self.points == 0):
            raise ValueError("multiplier(几倍)和 points(多几分)要写且只写一个")
        return self


class BirthdayBonus(Section):
    """More points on the birthday, in its week or in its month."""

    multiplier: Multiplier
    within: Literal["day", "week", "month"] = "day"


class EarnRule(Section):
    """Points for money spent: so many per 元, or `back`, a share of the money (one point is one 分 then).

    Of several multipliers the highest counts (`best`), or their product. `pending_days`: points can be used only so
    many days after the purchase. `refunds`: what happens to earned points when the money goes back.
    """

    points_per_yuan: int = Field(default=1, ge=0, le=1000)
    back: Share | None = None
    bonuses: list[EarnBonus] = []
    birthday: BirthdayBonus | None = None
    combine: Literal["best", "product"] = "best"
    exclude: list[str] = Field(default=[], description="categories that earn nothing")
    on_balance: bool = Field(default=True, description="what is paid with balance earns too")
    per_order: int | None = Field(default=None, ge=0)
    per_day: int | None = Field(default=None, ge=0)
    pending_days: int = Field(default=0, ge=0, le=365)
    refunds: Literal["only_pending", "down_to_zero", "may_go_negative"] = "down_to_zero"

    @property
    def per_100_yuan(self) -> int:
        """Return the points that 100 元 bring, before any multiplier."""
        return round(self.back * 10_000) if self.back is not None else self.points_per_yuan * 100

    def points(self, total: int) -> int:
        """Return the points for `total` 分, rounded down."""
        return total * self.per_100_yuan // 10_000


class RewardRule(Section):
    """What enough points bring."""

    points: int = Field(gt=0)
    coupon: Code


class ExpiryRule(Section):
    """How long points live, and how early their end is announced."""

    months: int = Field(default=24, ge=1, le=120)
    notice_days: int = Field(default=30, ge=1, le=365)


class VoucherRate(Section):
    """So many points are worth so many 分."""

    points: int = Field(gt=0)
    fen: int = Field(gt=0)


def _rate(value: Any) -> Any:
    if isinstance(value, str):
        found = RATE.match(value)
        if found is None:
            raise ValueError("汇率要写成「100 分 = 1 元」")
        return {"points": int(found[1]), "fen": int(found[2]) * 100 + int((found[3] or "").ljust(2, "0") or 0)}
    return value


class VoucherRule(Section):
    """Points become a voucher every period, by themselves: whole multiples of the rate, from `at_least` points on."""

    every: SpanText = Span(2, "month")
    rate: Annotated[VoucherRate, BeforeValidator(_rate, json_schema_input_type=str)]
    at_least: int = Field(default=0, ge=0)
    valid: SpanText = Span(60, "day")
    title: str = Field(default="{amount}元积分券", max_length=40)

    @model_validator(mode="after")
    def _whole_days(self) -> "VoucherRule":
        if self.every.delta() < timedelta(days=1):
            raise ValueError("every 至少一天")
        return self


class PartnerRule(Section):
    """Points exchanged into what a partner keeps, such as miles: `points` become `units`."""

    title: str = Field(min_length=1)
    points: int = Field(gt=0)
    units: int = Field(gt=0)
    unit: str = "里程"
    at_least: int = Field(default=0, ge=0)


class TopUpGift(Section):
    """Whoever tops up at least `over` 元 gets `gift` 元 on top; the highest reached counts."""

    over: int = Field(gt=0)
    gift: int = Field(gt=0)


class BalanceRules(Section):
    """Stored value: what topping up brings, and which part of the gift balance pays.

    `gift_pays`: last (principal first), first, or proportional; never more than `gift_at_most` of a payment.
    """

    topup: list[TopUpGift] = []
    topup_at_least: int = Field(default=1, ge=1, description="元")
    topup_at_most: int = Field(default=5000, ge=1, description="元")
    gift_pays: Literal["first", "last", "proportional"] = "proportional"
    gift_at_most: Share = 1.0


class LoyaltyRules(Section):
    """Points, balance, gifts, tiers and what they are good for."""

    earn: EarnRule = EarnRule()
    reward: Listed[RewardRule] = []
    points_to_voucher: VoucherRule | None = None
    partners: dict[Code, PartnerRule] = {}
    expiry: ExpiryRule = ExpiryRule()
    balance: BalanceRules = BalanceRules()
    tiers: list[TierRule] = [TierRule(name="普卡")]
    tier_policy: TierPolicy = TierPolicy()
    paid: list[PaidPlan] = []
    gifts: GiftRules = GiftRules()
    checkin: CheckinRule | None = None
    referral: ReferralRule | None = None
    adopt_days: int = Field(default=90, ge=0, le=3650, description="orders before binding that still earn")

    @model_validator(mode="after")
    def _tiers_rise(self) -> "LoyaltyRules":
        floors = [(tier.spend_12_months, tier.spend, tier.orders) for tier in self.tiers]
        if not floors or not self.tiers[0].free or any(tier.free for tier in self.tiers[1:]):
            raise ValueError("tiers 第一档不能有门槛,之后每档都要有门槛")
        if [tier.name for tier in self.tiers] != list(dict.fromkeys(tier.name for tier in self.tiers)):
            raise ValueError("tiers 里有两档同名")
        spends = [floor[0] for floor in floors if floor[0]]
        if spends != sorted(set(spends)):
            raise ValueError("tiers 的 spend_12_months 要逐档升高")
        return self

    def plan(self, name: str) -> PaidPlan | None:
        """Return the paid plan of this name."""
        return next((plan for plan in self.paid if plan.name == name), None)


def named_coupons(rules: LoyaltyRules) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield (key path below `loyalty`, coupon template) of every template that the rules give away."""
    for place, reward in enumerate(rules.reward):
        yield ("reward", place, "coupon"), reward.coupon
    for kind in ("on_present", "on_purchase", "on_total", "birthday"):
        for place, gift in enumerate(getattr(rules.gifts, kind)):
            if gift.coupon:
                yield ("gifts", kind, place, "coupon"), gift.coupon
    for side in ("inviter", "invitee"):
        gift = getattr(rules.referral, side, None)
        if gift is not None and gift.coupon:
            yield ("referral", side, "coupon"), gift.coupon


def named_stores(rules: LoyaltyRules, coupons: Mapping[str, CouponRule]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield (key path, store id) of every store that earning, gifts and coupons name."""
    for place, bonus in enumerate(rules.earn.bonuses):
        yield from (((("loyalty", "earn", "bonuses", place, "stores")), store) for store in bonus.stores)
    for kind in ("on_present", "on_purchase"):
        for place, gift in enumerate(getattr(rules.gifts, kind)):
            yield from ((("loyalty", "gifts", kind, place, "stores"), store) for store in gift.stores)
    for code, coupon in coupons.items():
        yield from ((("coupons", code, "scope", "stores"), store) for store in coupon.scope.stores)
