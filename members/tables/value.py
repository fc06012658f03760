"""Accounts, the double-entry ledger with point lots and hash chain, and coupons."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from members.tables.base import big, json_column, key, ref, when


class Account(SQLModel, table=True):
    """One kind of value of one member, balance materialised; a system account (no member) is summed from entries."""

    id: int | None = key()
    member_id: int | None = ref("member.id")
    kind: str = Field(description="points | principal | gift; system: issuer | expired | spent | cash …")
    balance: int = big(0)

    __table_args__ = (
        UniqueConstraint("member_id", "kind", name="ux_account_member_kind"),
        Index(
            "ux_account_system",
            "kind",
            unique=True,
            sqlite_where=text("member_id IS NULL"),
            postgresql_where=text("member_id IS NULL"),
        ),
        CheckConstraint("balance >= 0", name="ck_account_not_negative"),
    )


class Movement(SQLModel, table=True):
    """One booked occurrence; its entries sum to zero. `key` makes it happen once."""

    id: int | None = key()
    key: str = Field(unique=True)
    kind: str
    actor: str
    reason: str = ""
    at: datetime = when()
    order_id: int | None = ref("orders.id", index=True)
    reverses: int | None = ref("movement.id")


class Entry(SQLModel, table=True):
    """One line of a movement. Lines on a member's account continue that member's hash chain."""

    movement_id: int = ref("movement.id", null=False, primary=True)
    line_no: int = Field(primary_key=True)
    account_id: int = ref("account.id", null=False, index=True)
    member_id: int | None = ref("member.id")
    seq: int | None = big(None, null=True)
    amount: int = big()
    balance_after: int | None = big(None, null=True)
    hash: bytes | None = None

    __table_args__ = (UniqueConstraint("member_id", "seq", name="ux_entry_chain"),)


class PointLot(SQLModel, table=True):
    """Points earned together and expiring together; consumed first expiring first."""

    __tablename__ = "point_lot"
    id: int | None = key()
    member_id: int = ref("member.id", null=False)
    movement_id: int = ref("movement.id", null=False)
    amount: int = big()
    remaining: int = big()
    earned_at: datetime = when()
    expires_at: datetime = when()

    __table_args__ = (
        CheckConstraint("remaining >= 0 AND remaining <= amount", name="ck_lot_remaining"),
        Index(
            "ix_lot_open",
            "member_id",
            "expires_at",
            "id",
            sqlite_where=text("remaining > 0"),
            postgresql_where=text("remaining > 0"),
        ),
    )


class LotUse(SQLModel, table=True):
    """How much of which lot a movement took: what a reversal puts back."""

    __tablename__ = "lot_use"
    movement_id: int = ref("movement.id", null=False, primary=True)
    lot_id: int = ref("point_lot.id", null=False, primary=True)
    amount: int = big()


class CouponTemplate(SQLModel, table=True):
    """The offer. `issued` is guarded by the check against `stock`; rules as in members.rules.CouponRule."""

    __tablename__ = "coupon_template"
    code: str = Field(primary_key=True)
    title: str
    rule: dict[str, Any] = json_column()
    stock: int | None = None
    issued: int = 0
    per_member: int | None = None
    active: bool = True
    source: str = "config"

    __table_args__ = (CheckConstraint("stock IS NULL OR issued <= stock", name="ck_template_stock"),)


class CouponGrant(SQLModel, table=True):
    """How many copies of a template a member ever got: the counter behind per_member."""

    __tablename__ = "coupon_grant"
    template: str = Field(primary_key=True, foreign_key="coupon_template.code")
    member_id: int = ref("member.id", null=False, primary=True)
    count: int = 0


class Coupon(SQLModel, table=True):
    """One member's copy of a template: issued → redeemed | expired | void, each by a conditional update."""

    id: int | None = key()
    code: str = Field(unique=True)
    key: str = Field(unique=True)
    template: str = Field(foreign_key="coupon_template.code", index=True)
    member_id: int = ref("member.id", null=False)
    title: str = ""
    state: str = "issued"
    issued_at: datetime = when()
    issued_by: str = ""
    reason: str = ""
    decision_id: int | None = ref("decision.id")
    expires_at: datetime = when()
    redeemed_at: datetime | None = when(null=True)
    redeemed_by: str = ""
    redeemed_store: str | None = None
    order_id: int | None = ref("orders.id")

    __table_args__ = (
        CheckConstraint("state IN ('issued','locked','redeemed','expired','void')", name="ck_coupon_state"),
        Index("ix_coupon_member", "member_id", "state", "expires_at"),
    )
