"""Bodies of answers. Amounts are integer 分; a phone is always masked."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class GiftOut(BaseModel):
    """Something given on an occasion."""

    title: str = Field(examples=["消费满200元赠"])
    points: int = 0
    coupon_title: str | None = None
    coupon_code: str | None = None
    expires_at: datetime | None = None


class TierOut(BaseModel):
    """A tier that changed just now, and why."""

    before: str
    after: str = Field(examples=["金卡"])
    reason: str


class UsedCoupon(BaseModel):
    """A coupon used up on an order, and what it took off."""

    title: str = Field(examples=["满100减20"])
    discount: int


class OrderTaken(BaseModel):
    """A sale in the books; `created` is false when the same order was there already."""

    order_no: str = Field(examples=["T1-000123"])
    store: str | None
    created: bool
    member: int | None = Field(description="会员编号;没有会员就是 null")
    unknown_buyer: bool = Field(description="买家还不是会员:订单留着,绑定后补积分")
    points: int = Field(description="现在就能用的积分")
    pending: int = Field(description="到期后可用的积分")
    paid_principal: int = Field(description="用了多少本金")
    paid_gift: int = Field(description="用了多少赠送金")
    gifts: list[GiftOut]
    coupons: list[UsedCoupon]
    tier: TierOut | None


class CouponBack(BaseModel):
    """A coupon that came back with a full refund."""

    title: str
    state: str = Field(examples=["issued"])


class RefundMade(BaseModel):
    """What went back: `amount` = `cash_back` + `principal_back` + `gift_back`; `left` of the order has not."""

    order_no: str
    refund_no: str
    created: bool
    amount: int
    cash_back: int
    principal_back: int
    gift_back: int
    left: int
    points_due: int = Field(description="应收回的积分")
    points_taken: int = Field(description="实际收回的积分")
    coupons_back: list[CouponBack]
    gifts_taken: list[str]


class ExchangeMade(BaseModel):
    """What came back, what was bought; `to_pay` 分 are to be paid in money (below zero: given back)."""

    returned: RefundMade
    bought: OrderTaken
    to_pay: int


class LineOut(BaseModel):
    """One line of an order, with what of it came back."""

    sku: str
    name: str
    quantity: int
    amount: int
    discount: int
    refunded_quantity: int
    refunded_amount: int


class OrderOut(BaseModel):
    """An order as it stands."""

    order_no: str
    store: str | None
    member: int | None
    at: datetime
    total: int
    discount: int
    refunded: int
    paid_principal: int
    paid_gift: int
    state: str = Field(examples=["paid"])
    lines: list[LineOut]


class CouponOut(BaseModel):
    """A coupon the member can use here; `code` only for keys that may redeem."""

    title: str = Field(examples=["满100减20"])
    template: str
    expires_at: datetime
    how: str = Field(description="怎么用")
    code: str | None = None


class BalanceOut(BaseModel):
    """Stored value, in 分."""

    principal: int
    gift: int


class PerkOut(BaseModel):
    """Something the member's tier or plan brings, and how often it is left this month (null: always)."""

    perk: str = Field(examples=["免费配送"])
    per_month: int | None = None
    used: int = Field(description="本月已用几次")
    left: int | None = Field(description="本月还可用几次;不限次就是 null")


class PerkUsed(PerkOut):
    """A perk that was used once just now."""

    member: int


class PlanOut(BaseModel):
    """The paid plan in force and the instant it ends."""

    plan: str = Field(examples=["黑金"])
    until: datetime


class PlanBought(PlanOut):
    """A paid plan that was bought: `price` 分 were taken at the till; good from `since` on."""

    member: int
    price: int
    since: datetime


class MemberOut(BaseModel):
    """What a till needs to know of a member."""

    id: int
    phone: str | None = Field(description="脱敏的手机号", examples=["138****8000"])
    card: str | None
    tier: str = Field(examples=["金卡"])
    points: int
    pending: int
    balance: BalanceOut
    coupons: list[CouponOut]
    perks: list[PerkOut]
    plan: PlanOut | None


class MemberFound(MemberOut):
    """A member found or made."""

    created: bool
    adopted: int = Field(description="补到这位会员名下的订单数")


class ProductsPut(BaseModel):
    """How many articles were new, and how many were known and brought up to date."""

    created: int
    updated: int


class EventTaken(BaseModel):
    """An event that was accepted, and what it brought."""

    type: str
    gifts: list[GiftOut]


class CouponState(BaseModel):
    """What became of a coupon."""

    title: str = Field(examples=["满100减20"])
    state: Literal["issued", "locked", "redeemed", "expired"]
    member: int
    discount: int = 0
    until: datetime | None = Field(default=None, description="锁定到什么时候,或有效到什么时候")


class QuotedCoupon(BaseModel):
    """A coupon that should be used: what it takes off, in all and on each line."""

    title: str
    template: str
    code: str | None
    discount: int
    lines: list[int]


class RefusedCoupon(BaseModel):
    """A coupon that is not used on this basket, and why."""

    title: str
    template: str
    code: str | None
    refusal: str = Field(examples=["coupon_threshold"])
    reason: str
    gap: int = Field(description="还差多少分到门槛")


class Quote(BaseModel):
    """The best that the member's coupons make of a basket."""

    total: int = Field(description="用券之前")
    discount: int
    payable: int
    applied: list[QuotedCoupon]
    refused: list[RefusedCoupon]
