"""Stores, articles and receipts."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from members.tables.base import big, json_column, key, ref, when


class Store(SQLModel, table=True):
    """One shop a member can walk into."""

    id: str = Field(primary_key=True)
    name: str
    address: str = ""
    lat: float | None = None
    lon: float | None = None
    hours: str = ""
    phone: str = ""
    brand: str = ""
    active: bool = True


class Category(SQLModel, table=True):
    """What repurchase cycles are counted on; `name` is what a member reads."""

    code: str = Field(primary_key=True)
    name: str
    department: str = ""


class Product(SQLModel, table=True):
    """One sellable article."""

    id: int | None = key()
    sku: str = Field(unique=True)
    name: str
    category: str | None = Field(default=None, foreign_key="category.code", index=True)
    type: str = ""
    department: str = ""
    manufacturer: str = ""
    brand: str = ""
    own_brand: bool = False
    pack: str = ""
    price: int | None = big(None, null=True)
    active: bool = True


class Order(SQLModel, table=True):
    """One receipt, in 分: `total` was paid by whatever means, `discount` was taken off, `refunded` came back.

    `order_no` is unique within `scope`: the store whose till numbers it, or '' for numbers of the whole group.
    """

    __tablename__ = "orders"
    id: int | None = key()
    scope: str = ""
    order_no: str
    store_id: str | None = Field(default=None, foreign_key="store.id")
    member_id: int | None = ref("member.id")
    buyer: str = Field(default="", description="what an unknown buyer was called: blind index, card or openid")
    at: datetime = when()
    day: date
    total: int = big(0)
    discount: int = big(0)
    refunded: int = big(0)
    paid_principal: int = big(0)
    paid_gift: int = big(0)
    state: str = Field(default="paid", description="paid | refunded | part_refunded")
    source: str = ""
    by: str = ""
    digest: str = Field(default="", description="hash of what was sent: the same number with other content is refused")

    __table_args__ = (
        UniqueConstraint("scope", "order_no", name="ux_orders_no"),
        CheckConstraint(
            "total >= 0 AND discount >= 0 AND refunded >= 0 AND refunded <= total "
            "AND paid_principal >= 0 AND paid_gift >= 0 AND paid_principal + paid_gift <= total",
            name="ck_orders_amounts",
        ),
        Index("ix_orders_member_at", "member_id", "at"),
        Index("ix_orders_day", "day"),
        Index(
            "ix_orders_buyer",
            "buyer",
            sqlite_where=text("member_id IS NULL"),
            postgresql_where=text("member_id IS NULL"),
        ),
    )


class OrderLine(SQLModel, table=True):
    """One line of a receipt; `amount` is what was paid for the line, `refunded_…` what of it came back, in 分."""

    __tablename__ = "order_line"
    __table_args__ = {"sqlite_with_rowid": False}
    order_id: int = ref("orders.id", null=False, primary=True)
    line_no: int = Field(primary_key=True)
    product_id: int = ref("product.id", null=False)
    quantity: int = big(1)
    amount: int = big()
    discount: int = big(0)
    refunded_quantity: int = big(0)
    refunded_amount: int = big(0)


class Refund(SQLModel, table=True):
    """Money given back on an order, in 分: to the till (`cash_back`), to principal and to gift balance.

    `points_due` had been earned by what came back, `points_taken` could be taken.
    """

    id: int | None = key()
    order_id: int = ref("orders.id", null=False)
    refund_no: str
    at: datetime = when()
    amount: int = big()
    cash_back: int = big(0)
    principal_back: int = big(0)
    gift_back: int = big(0)
    points_due: int = big(0)
    points_taken: int = big(0)
    by: str = ""
    store_id: str | None = None
    digest: str = ""
    detail: dict[str, Any] = json_column()

    __table_args__ = (
        UniqueConstraint("order_id", "refund_no", name="ux_refund_no"),
        CheckConstraint("amount >= 0 AND amount = cash_back + principal_back + gift_back", name="ck_refund_amount"),
    )
