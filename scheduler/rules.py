"""The sections of config.yaml that say whom to push what, when, and how often at most."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from string import Formatter
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from members.rules import ClockTime, Code, Rules, Section, Share, Span, SpanText
from members.rules.base import Listed
from members.segments import EVERYBODY, SegmentRule
from recommend.rules import RecommendRules
from scheduler.channels import Channel
from scheduler.when import When

PLACEHOLDERS = ("member", "category", "coupon", "last", "days")
OF_ARTICLES = ("member", "category", "coupon", "product", "usual")
OF_BUNDLES = ("member", "coupon", "product")
MOST_PRODUCTS, MOST_SPENDS = 30, 10
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A part of the day without pushes, from `start` to `end` local time; it may pass midnight."""

    start: time
    end: time


def _quiet(value: Any) -> Any:
    if isinstance(value, QuietHours):
        return value
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)\s*[-–~至]\s*([01]?\d|2[0-3]):([0-5]\d)", str(value).strip())
    if found is None:
        raise ValueError('安静时段要写成带引号的「"21:30-08:30"」')
    return QuietHours(time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4])))


QuietText = Annotated[QuietHours, BeforeValidator(_quiet, json_schema_input_type=str)]


class Offer(Section):
    """The coupon of a campaign; `plain` is what a member gets who wants nothing personal."""

    template: Code
    plain: Code | None = None

    def codes(self) -> Iterator[tuple[Path, str]]:
        """Yield where each template stands, and its code."""
        yield ("template",), self.template
        if self.plain is not None:
            yield ("plain",), self.plain


class PackRule(Section):
    """How many coupons a member gets at most, and what all those of one run may be expected to cost.

    `budget` bounds Σ chance of use × what is taken off, not the worst case. What the shop believes, to be checked by
    hold-outs: `margin` of turnover; `extra`, the share of redeemed product coupons that brought the purchase; `visit`,
    how often a spend-and-save coupon within reach brings a visit that would not have been.
    """

    product_coupons: int = Field(default=10, ge=0, le=MOST_PRODUCTS, description="每人最多几张品类券")
    spend_and_save: int = Field(default=2, ge=0, le=MOST_SPENDS, description="每人最多几张满减券")
    budget: int = Field(gt=0, description="元:一期所有的券预计一共花多少(用的可能乘以减的钱),不是最坏的情况")
    margin: Share = Field(default=0.3, description="毛利占销售额的几成")
    extra: Share = Field(default=0.6, description="用掉的品类券里,没有券就不会买的占几成;用对照组核对")
    visit: Share = Field(default=0.15, description="一张够得着的满减券,有几成可能带来一次本来没有的光顾")


class PackOffer(Section):
    """Templates of a pack: on products, spend-and-save, and what members get who want nothing personal."""

    product: Listed[Code] = []
    spend: Listed[Code] = []
    plain: Code | None = None

    def codes(self) -> Iterator[tuple[Path, str]]:
        """Yield where each template stands, and its code."""
        yield from ((("product", place), code) for place, code in enumerate(self.product))
        yield from ((("spend", place), code) for place, code in enumerate(self.spend))
        if self.plain is not None:
            yield ("plain",), self.plain

    @model_validator(mode="after")
    def _each_once(self) -> "PackOffer":
        codes = [*self.product, *self.spend]
        if len(set(codes)) != len(codes):
            raise ValueError("同一个券模板写了两次")
        return self


class Remind(Section):
    """How early a repurchase is reminded of at the latest, and how likely it must be within the week after.

    Where the night left no forecast, `confidence` is how regular the cycle must be (see recommend.repurchase).
    """

    days_ahead: int = Field(default=2, ge=0, le=30)
    confidence: Share = 0.4


def _fillable(text: str | None, usable: Sequence[str]) -> str | None:
    """Return a text with none but these placeholders."""
    try:
        parts = [part for part in Formatter().parse(text or "") if part[1] is not None]
    except ValueError as error:
        raise ValueError("花括号要成对,例如 {category}") from error
    if unknown := [name for _, name, _, _ in parts if name not in usable]:
        raise ValueError(f"不认识的占位 {{{unknown[0]}}},可以用 {''.join(f'{{{name}}}' for name in usable)}")
    if odd := [name for _, name, spec, turned in parts if spec or turned]:
        raise ValueError(f"占位里只写名字:{{{odd[0]}}}")
    return text


class _Campaign(Section):
    placeholders: ClassVar[Sequence[str]] = PLACEHOLDERS
    to: str = EVERYBODY
    say: str = Field(min_length=1, max_length=500)
    say_plain: str | None = Field(default=None, max_length=500)
    channels: list[Channel] = Field(min_length=1)
    subscription: Code | None = None
    hold_out: Share = 0.1
    expires: SpanText = Span(7, "day")
    on: bool = True

    @field_validator("say", "say_plain")
    @classmethod
    def _known_placeholders(cls, text: str | None) -> str | None:
        return _fillable(text, cls.placeholders)

    @field_validator("channels")
    @classmethod
    def _each_once(cls, channels: list[Channel]) -> list[Channel]:
        if len(set(channels)) != len(channels):
            raise ValueError("同一渠道写了两次")
        return channels


class PersonalOffer(_Campaign):
    """The coupon of a campaign goes to what each member buys most."""

    kind: Literal["personal_offer"]
    schedule: When = When(every="week", day="monday")
    offer: Offer


class Repurchase(_Campaign):
    """A reminder before a member's usual purchase is due, with or without a coupon."""

    kind: Literal["repurchase"]
    schedule: When = When(every="day")
    remind: Remind = Remind()
    offer: Offer | None = None

    @model_validator(mode="after")
    def _coupon_has_offer(self) -> "Repurchase":
        if "{coupon}" in self.say and self.offer is None:
            raise ValueError("say 里写了 {coupon},还要写 offer")
        if self.offer is not None and self.offer.plain is not None:
            raise ValueError("补货提醒只发给接受个性化的会员,offer 不写 plain")
        return self


class TradeUp(_Campaign):
    """A dearer article of a type the member buys habitually, or what goes with it, with or without a coupon on it.

    `want`: which of the two, the one that is preferred first.
    """

    placeholders: ClassVar[Sequence[str]] = OF_ARTICLES
    kind: Literal["trade_up"]
    schedule: When = When(every="week", day="wednesday")
    want: Listed[Literal["premium", "companion"]] = Field(
        default=["premium", "companion"], min_length=1, description="premium 同类里更好的,companion 搭着买的;先写的优先"
    )
    offer: Offer | None = None

    @model_validator(mode="after")
    def _only_personal(self) -> "TradeUp":
        if len(set(self.want)) != len(self.want):
            raise ValueError("want 里同一样写了两次")
        if "{coupon}" in self.say and self.offer is None:
            raise ValueError("say 里写了 {coupon},还要写 offer")
        if self.say_plain is not None or (self.offer is not None and self.offer.plain is not None):
            raise ValueError("升级推荐只发给接受个性化的会员,不写 say_plain 和 offer.plain")
        return self


class Bundle(_Campaign):
    """Articles at one price for those likeliest to take them; the template's `bundle` has them, the slow one first."""

    placeholders: ClassVar[Sequence[str]] = OF_BUNDLES
    kind: Literal["bundle"]
    schedule: When = When(every="month", day=1)
    offer: Offer
    likeliest: int = Field(default=300, ge=1, description="最多发给几位最可能买的会员")

    @model_validator(mode="after")
    def _only_personal(self) -> "Bundle":
        if self.say_plain is not None or self.offer.plain is not None:
            raise ValueError("套餐只发给接受个性化的会员,不写 say_plain 和 offer.plain")
        return self


class CouponPack(_Campaign):
    """Coupons on what each member is likely to buy and spend-and-save ones that fit their baskets, within a budget."""

    kind: Literal["coupon_pack"]
    schedule: When = When(every=Span(2, "month"), day=1)
    pack: PackRule
    offer: PackOffer

    @field_validator("say", "say_plain")
    @classmethod
    def _of_many(cls, text: str | None) -> str | None:
        for name in ("last", "days"):
            if f"{{{name}}}" in (text or ""):
                raise ValueError(f"券包里有好几样东西,文案不能用 {{{name}}}")
        return text

    @model_validator(mode="after")
    def _enough_templates(self) -> "CouponPack":
        if not self.pack.product_coupons and not self.pack.spend_and_save:
            raise ValueError("product_coupons 和 spend_and_save 不能都是 0")
        if self.pack.product_coupons and not self.offer.product:
            raise ValueError("pack.product_coupons 大于 0,offer.product 要写券模板")
        if self.pack.spend_and_save > len(self.offer.spend):
            raise ValueError("一个人不会有两张同样的满减券:offer.spend 至少要写 pack.spend_and_save 那么多种")
        return self


Campaign = PersonalOffer | Repurchase | TradeUp | Bundle | CouponPack
CampaignRule = Annotated[Campaign, Field(discriminator="kind")]


class Cap(Section):
    """At most so many pushes to one member within a rolling time; without `kind`, of all campaigns."""

    messages: int = Field(ge=1, le=1000)
    within: SpanText
    kind: Literal["marketing", "reminder"] | None = None


class PolicyRules(Section):
    """What no campaign may overstep."""

    quiet_hours: QuietText | None = QuietHours(time(21, 30), time(8, 30))
    at_most: list[Cap] = Field(default=[Cap(messages=2, within=Span(7, "day"))])
    hold_out: Share = 0.05


class ScheduleRules(Section):
    """The rhythm of the worker."""

    tick_seconds: float = Field(default=5, gt=0, le=300)
    delivery_seconds: float = Field(default=1, gt=0, le=300)
    batch: int = Field(default=50, ge=1, le=1000)
    expire_at: ClockTime = time(0, 10)
    score_at: ClockTime = time(3)
    prune_at: ClockTime = time(4)


class SubscriptionRule(Section):
    """A subscription notice as registered at the platform: its template id and what goes into its fields."""

    template_id: Code
    title: str = Field(min_length=1)
    fields: dict[Code, str] = Field(min_length=1)

    @field_validator("fields")
    @classmethod
    def _known_placeholders(cls, fields: dict[str, str]) -> dict[str, str]:
        for text in fields.values():
            _fillable(text, PLACEHOLDERS)
        return fields


@dataclass(frozen=True, slots=True)
class PushRules:
    """Everything of config.yaml that planning, delivering and scheduling need."""

    base: Rules
    campaigns: Mapping[str, Campaign]
    segments: Mapping[str, SegmentRule]
    policy: PolicyRules
    schedule: ScheduleRules
    recommend: RecommendRules
    subscriptions: Mapping[str, SubscriptionRule]
    app_id: str
