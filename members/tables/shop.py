"""Stores, articles and receipts."""

from datetime import date, datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from members.tables.base import big, key, ref, when


class Store(SQLModel, table=True):
    """One shop a member can walk into."""

    id: str = Field(primary_key=True)
    name: str
    address: str = ""
    lat: float | None = None
    lon: float | None = None
    hours: str = ""
    phone: str = ""
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
    own_brand: bool = False
    pack: str = ""
    price: int | None = big(None, null=True)
    active: bool = True


class Order(SQLModel, table=True):
    """One receipt. `total` is what was paid, `discount` what was taken off, both in 分."""

    __tablename__ = "orders"
    id: int | None = key()
    order_no: str = Field(unique=True)
    store_id: str | None = Field(default=None, foreign_key="store.id")
    member_id: int | None = ref("member.id")
    buyer: str = Field(default="", description="what an unknown buyer was called: blind index, card or openid")
    at: datetime = when()
    day: date
    total: int = big(0)
    discount: int = big(0)
    state: str = Field(default="paid", description="paid | refunded | part_refunded")
    source: str = ""

    __table_args__ = (Index("ix_orders_member_at", "member_id", "at"), Index("ix_orders_day", "day"))


class OrderLine(SQLModel, table=True):
    """One line of a receipt; `amount` is what was paid for the line, in 分."""

    __tablename__ = "order_line"
    __table_args__ = {"sqlite_with_rowid": False}
    order_id: int = ref("orders.id", null=False, primary=True)
    line_no: int = Field(primary_key=True)
    product_id: int = ref("product.id", null=False)
    quantity: int = big(1)
    amount: int = big()
    discount: int = big(0)
