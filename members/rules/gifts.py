"""Gifts: the moments they are given at, for checking in, for friends brought along."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from members.rules.base import DaysText, Listed, Section


class Gift(Section):
    """What is given: points, a coupon, or both."""

    name: str = Field(default="", description="tells gifts of one kind apart")
    points: int = Field(default=0, ge=0, le=1_000_000)
    coupon: str = ""

    @model_validator(mode="after")
    def _something(self) -> "Gift":
        if not self.points and not self.coupon:
            raise ValueError("points(积分)和 coupon(券)至少写一个")
        return self


class PresentGift(Gift):
    """On presenting the card (刷卡赠送), once per day, week, month or ever."""

    once_per: Literal["day", "week", "month", "ever"] = "day"
    stores: list[str] = []


class PurchaseGift(Gift):
    """On a purchase (消费时赠送), once per order: at least `over` 元 of what matches; `first`: only the first order."""

    over: int = Field(default=0, ge=0)
    category: str = ""
    products: list[str] = []
    brands: list[str] = Field(default=[], description="brands of what is bought or of the store")
    stores: list[str] = []
    first: bool = False


class TotalGift(Gift):
    """On a cumulated total (累积后赠送): each time `spend` 元 came together in that time, counting anew each time."""

    spend: int = Field(gt=0)
    within: DaysText
    times: int | None = Field(default=None, ge=1, description="how often at most")


class BirthdayGift(Gift):
    """For the birthday, `days_ahead` before it, once a year."""

    days_ahead: int = Field(default=0, ge=0, le=60)


class GiftRules(Section):
    """The gift moments; of each kind one or a list."""

    on_present: Listed[PresentGift] = []
    on_purchase: Listed[PurchaseGift] = []
    on_total: Listed[TotalGift] = []
    birthday: Listed[BirthdayGift] = []

    @model_validator(mode="after")
    def _told_apart(self) -> "GiftRules":
        for kind in ("on_present", "on_purchase", "on_total", "birthday"):
            names = [gift.name for gift in getattr(self, kind)]
            if len(names) != len(set(names)):
                raise ValueError(f"{kind} 有几个时,每个要写不同的 name")
        return self


class CheckinRule(Section):
    """Points for checking in each day; `streak`: {day in a row: more points}, counted anew after the longest."""

    points: int = Field(ge=1, le=10_000)
    streak: dict[Annotated[int, Field(ge=1, le=366)], Annotated[int, Field(ge=1, le=10_000)]] = {}


class ReferralRule(Section):
    """What inviter and friend get once the friend has spent `over` 元; an inviter gets it `per_month` times at most.

    Friends past `per_day` on one business day are no friends.
    """

    inviter: Gift
    invitee: Gift | None = None
    over: int = Field(default=0, ge=0)
    per_month: int = Field(default=10, ge=1)
    per_day: int = Field(default=20, ge=1)
