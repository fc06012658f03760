"""The sections of config.yaml that say whom to push what, when, and how often at most."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import time
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from members.rules import ClockTime, Code, CouponRule, Rules, Section, Share, Span, SpanText
from members.segments import EVERYBODY, SegmentRule
from recommend.rules import RecommendRules
from scheduler.channels import RULES, Channel

PLACEHOLDERS = ("member", "category", "coupon", "last", "days")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NOT_MASS = "每位会员的文案和券码不同,mass 群发只能发同一内容"
Problem = tuple[tuple[str | int, ...], str, str | None]


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


class When(Section):
    """When a campaign runs, in the shop's time."""

    every: Literal["day", "week"]
    day: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] | None = None
    at: ClockTime = time(10)

    @model_validator(mode="after")
    def _day_of_week(self) -> "When":
        if (self.every == "week") != (self.day is not None):
            raise ValueError("every: week 要写 day(monday…sunday),every: day 不写 day")
        return self


class Offer(Section):
    """The coupon of a campaign; `plain` is what a member gets who wants nothing personal."""

    template: Code
    plain: Code | None = None


class Remind(Section):
    """How early a repurchase is reminded of at the latest, and how likely it must be within the week after.

    Where the night left no forecast, `confidence` is how regular the cycle must be (see recommend.repurchase).
    """

    days_ahead: int = Field(default=2, ge=0, le=30)
    confidence: Share = 0.4


class _Campaign(Section):
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
        try:
            fields = [field for _, field, _, _ in Formatter().parse(text or "") if field is not None]
        except ValueError as error:
            raise ValueError("花括号要成对,例如 {category}") from error
        if unknown := [field for field in fields if field not in PLACEHOLDERS]:
            usable = "".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise ValueError(f"不认识的占位 {{{unknown[0]}}},可以用 {usable}")
        return text

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


CampaignRule = Annotated[PersonalOffer | Repurchase, Field(discriminator="kind")]


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
            _Campaign._known_placeholders(text)
        return fields


@dataclass(frozen=True, slots=True)
class PushRules:
    """Everything of config.yaml that planning, delivering and scheduling need."""

    base: Rules
    campaigns: Mapping[str, PersonalOffer | Repurchase]
    segments: Mapping[str, SegmentRule]
    policy: PolicyRules
    schedule: ScheduleRules
    recommend: RecommendRules
    subscriptions: Mapping[str, SubscriptionRule]
    app_id: str


def illegal_channels(
    campaigns: Mapping[str, PersonalOffer | Repurchase],
    *,
    segments: Iterable[str] = (),
    templates: Mapping[str, CouponRule],
    subscriptions: Iterable[str] = (),
) -> Iterator[Problem]:
    """Yield (path below `campaigns`, what is wrong, the unknown name or None): channels and names that cannot be.

    The third part is what the caller looks up for its did-you-mean.
    """
    known_segments = {EVERYBODY, *segments}
    for name, campaign in campaigns.items():
        if campaign.to not in known_segments:
            yield (name, "to"), f"没有叫「{campaign.to}」的人群", campaign.to
        for field, code in _templates(campaign):
            if code not in templates:
                yield (name, "offer", field), f"没有叫「{code}」的券模板", code
            elif field == "plain" and "{category}" in templates[code].title + templates[code].scope.category:
                yield (name, "offer", field), f"「{code}」按品类发,不能当通用券", None
        yield from _subscription(name, campaign, set(subscriptions))
        for index, channel in enumerate(campaign.channels):
            if refusal := refused(campaign, channel):
                yield (name, "channels", index), refusal, None


def _templates(campaign: PersonalOffer | Repurchase) -> Iterator[tuple[str, str]]:
    if campaign.offer is not None:
        yield "template", campaign.offer.template
        if campaign.offer.plain is not None:
            yield "plain", campaign.offer.plain


def _subscription(name: str, campaign: PersonalOffer | Repurchase, known: set[str]) -> Iterator[Problem]:
    if campaign.subscription is not None and campaign.subscription not in known:
        yield (name, "subscription"), f"没有叫「{campaign.subscription}」的订阅通知", campaign.subscription
    if Channel.SUBSCRIPTION in campaign.channels and campaign.subscription is None:
        where = (name, "channels", campaign.channels.index(Channel.SUBSCRIPTION))
        yield where, "用 subscription 渠道要在 subscription 里写订阅通知的名字", None


def refused(campaign: PersonalOffer | Repurchase, channel: Channel) -> str:
    """Return why the platform does not let this channel carry the campaign, or nothing when it does.

    A subscription notice carries the reminder that was consented to, without the coupon's words.
    """
    rules = RULES[channel]
    reminder = isinstance(campaign, Repurchase)
    if channel is Channel.MASS:
        return NOT_MASS
    if channel is Channel.STAFF_TASK:
        return "staff_task 还不能用"
    if reminder and not rules.reminders:
        return f"{channel} 不能发补货提醒:平台只允许它通知会员自己刚做的事,发营销会被封号"
    if not reminder and not rules.offers:
        return f"{channel} 不能发优惠:平台只允许它发会员订阅的通知或会员自己刚做的事,发营销会被封号"
    return ""
