"""Bodies of requests. Amounts are integer 分; a field that is not known is an error."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from bot.api.fields import (
    Asked,
    CouponCode,
    Day,
    Fen,
    Flag,
    Instant,
    Name,
    Number,
    Quantity,
    Short,
    StoreId,
    Text,
    Whole,
)
from members.sales import Buyer

MOST_LINES = 500


class BuyerIn(Asked):
    """Who buys: by phone, card number, openid, member id, the short member code, or `ISSUER:NUMBER` of a shop."""

    kind: Literal["phone", "card", "openid", "member", "code", "shop"]
    value: Name = Field(examples=["13800138000"])

    def named(self) -> Buyer:
        """Return the buyer as the books name them."""
        return Buyer(self.kind, self.value)


class LineIn(Asked):
    """One line: `amount` 分 are paid for all of `quantity`, after the line's own `discount`."""

    sku: Name = Field(examples=["MILK-1L"])
    name: Short = ""
    quantity: Quantity = 1
    amount: Fen
    discount: Fen = 0
    category: Short = ""
    brand: Short = ""


class OrderIn(Asked):
    """One sale: `total` 分 are paid in all, `pay_balance` of it from the member's balance, after `discount`.

    Lines come to the total, or to the total and what of the discount no line names. Numbers are unique per store;
    without a store, in the whole group.
    """

    model_config = Asked.model_config | {"json_schema_extra": {"example": {
        "order_no": "T1-000123", "buyer": {"kind": "phone", "value": "13800138000"}, "total": 10850, "discount": 2000,
        "coupons": ["K7QF-2MDX-9TA0"], "pay_balance": 5000,
        "lines": [{"sku": "MILK-1L", "name": "鲜牛奶 1L", "quantity": 2, "amount": 12850}],
    }}}  # fmt: skip
    order_no: Number = Field(examples=["T1-000123"])
    store: StoreId | None = None
    buyer: BuyerIn | None = None
    at: Instant | None = Field(default=None, description="成交时间,不写就是现在")
    lines: list[LineIn] = Field(default=[], max_length=MOST_LINES)
    total: Fen
    discount: Fen = 0
    pay_balance: Fen = 0
    coupons: list[CouponCode] = Field(default=[], max_length=10, description="用掉的券:券码,或会员出示的短码")
    lock_key: Short = Field(default="", description="这些券之前锁定时用的 lock_key")


class ReturnLineIn(Asked):
    """How many of an article come back, and the 分 given back for them (not given: their share of what was paid)."""

    sku: Name
    quantity: Quantity = 1
    amount: Fen | None = None


class RefundIn(Asked):
    """Money to give back: `amount` 分, or what the lines come to, or without either all that is left."""

    model_config = Asked.model_config | {"json_schema_extra": {"example": {
        "refund_no": "R1-000007", "amount": 850, "reason": "少了一瓶",
    }}}  # fmt: skip
    refund_no: Number = Field(examples=["R1-000007"])
    store: StoreId | None = Field(default=None, description="订单号属于哪家门店")
    amount: Annotated[int, Field(strict=True, ge=1, le=10**10), Whole] | None = None
    lines: list[ReturnLineIn] = Field(default=[], max_length=MOST_LINES)
    at: Instant | None = None
    reason: Text = ""


class ExchangeIn(Asked):
    """Goods taken back and others sold, together or not at all; both belong to the store of the order."""

    returned: RefundIn
    bought: OrderIn


class MemberIn(Asked):
    """A member to find or, where nobody is found, to make: by phone, card or shop number; an openid only finds.

    What is given and belongs to nobody yet is added to the member found. Consents are answered only where given.
    """

    phone: Annotated[str, Field(min_length=7, max_length=24, pattern=r"^\+?[0-9][0-9 -]*$")] | None = None
    card: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{4,32}$")] | None = None
    shop: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_.-]{1,31}:[A-Za-z0-9_.-]{1,32}$")] | None = Field(
        default=None, description="商城客户号 ISSUER:NUMBER", examples=["tmall:88001"]
    )
    openid: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    store: StoreId | None = Field(default=None, description="新会员的所属门店")
    birthday: Day | None = None
    marketing: Flag | None = Field(default=None, description="是否同意营销消息")
    sms: Flag | None = Field(default=None, description="是否同意营销短信")

    model_config = Asked.model_config | {
        "json_schema_extra": {
            "anyOf": [
                {"required": [name], "properties": {name: {"type": "string"}}}
                for name in ("phone", "card", "shop", "openid")
            ]
        }
    }

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, dict) and all(value.get(name) is None for name in ("phone", "card", "shop", "openid")):
            raise ValueError("one of phone, card, shop, openid")
        return value


class PerkIn(Asked):
    """A perk of the member's tier or plan, used once."""

    perk: Name = Field(examples=["免费配送"])
    store: StoreId | None = None


class PlanIn(Asked):
    """A paid plan whose price was taken at the till; bought again, it is extended from where it ends."""

    plan: Name = Field(examples=["黑金"])
    store: StoreId | None = None


class ProductIn(Asked):
    """One article; `category` is a code, `category_name` what members read."""

    sku: Name = Field(examples=["MILK-1L"])
    name: Name = Field(examples=["鲜牛奶 1L"])
    category: Short = ""
    category_name: Short = ""
    department: Short = ""
    brand: Short = ""
    manufacturer: Short = ""
    type: Short = ""
    pack: Short = ""
    own_brand: Flag = False
    price: Fen | None = None
    active: Flag = True


class ProductsIn(Asked):
    """One article or a batch; of a sku named twice the last counts."""

    products: list[ProductIn] = Field(min_length=1, max_length=MOST_LINES)


class EventIn(Asked):
    """Something a person did. `present`: the card was shown at the till, which may bring a gift.

    `browse`, `favourite`, `cart` and `enter_store` are accepted and not kept: nothing is decided on them yet.
    """

    type: Literal["present", "browse", "favourite", "cart", "enter_store"]
    member: BuyerIn
    store: StoreId | None = None
    sku: Short = ""
    at: Instant | None = None


class RedeemIn(Asked):
    """A coupon used up at the till without an order of ours, or on one that was posted before."""

    store: StoreId | None = None
    order_no: Number | None = None
    discount: Fen = Field(default=0, description="抵了多少分")
    lock_key: Short = ""


class ReverseIn(Asked):
    """A redemption taken back."""

    store: StoreId | None = None


class LockIn(Asked):
    """A coupon set aside for one sale: until `seconds` are over only this `lock_key` redeems it."""

    lock_key: Name = Field(examples=["T1-cart-77"])
    seconds: Annotated[int, Field(strict=True, ge=1, le=3600), Whole] = 300
    store: StoreId | None = None


class UnlockIn(Asked):
    """A coupon set free again."""

    lock_key: Name
    store: StoreId | None = None


class PricedIn(Asked):
    """One line of a basket: `unit_price` 分 a piece, before any coupon."""

    sku: Name = Field(examples=["MILK-1L"])
    quantity: Quantity = 1
    unit_price: Fen
    category: Short = ""
    brand: Short = ""


class QuoteIn(Asked):
    """A basket before it is paid."""

    model_config = Asked.model_config | {"json_schema_extra": {"example": {
        "member": {"kind": "code", "value": "000000112345"},
        "lines": [{"sku": "MILK-1L", "quantity": 2, "unit_price": 6425}],
    }}}  # fmt: skip
    member: BuyerIn
    store: StoreId | None = None
    at: Instant | None = None
    lines: list[PricedIn] = Field(min_length=1, max_length=MOST_LINES)
