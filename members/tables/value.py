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
    kind: str = Field(description="points | pending | principal | gift | owed | wallet:…; system: issuer | expired …")
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
        CheckConstraint(
            "(kind <> 'owed' AND balance >= 0) OR (kind = 'owed' AND balance <= 0)", name="ck_account_sign"
        ),
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
    store_id: str | None = None

    __table_args__ = (
        Index(
            "ux_movement_reverses",
            "reverses",
            unique=True,
            sqlite_where=text("reverses IS NOT NULL"),
            postgresql_where=text("reverses IS NOT NULL"),
        ),
    )


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
    """Points earned together and expiring together; consumed first expiring first.

    A lot of the account `pending` matures at `matures_at`; what it becomes then expires at `expires_at`.
    """

    __tablename__ = "point_lot"
    id: int | None = key()
    member_id: int = ref("member.id", null=False)
    movement_id: int = ref("movement.id", null=False, index=True)
    account: str = Field(default="points", description="points | pending")
    order_id: int | None = ref("orders.id", index=True)
    amount: int = big()
    remaining: int = big()
    earned_at: datetime = when()
    matures_at: datetime | None = when(null=True)
    expires_at: datetime = when()

    __table_args__ = (
        CheckConstraint("remaining >= 0 AND remaining <= amount", name="ck_lot_remaining"),
        Index(
            "ix_lot_open",
            "member_id",
            "account",
            "expires_at",
            "id",
            sqlite_where=text("remaining > 0"),
            postgresql_where=text("remaining > 0"),
        ),
        Index(
            "ix_lot_maturing",
            "matures_at",
            sqlite_where=text("remaining > 0 AND matures_at IS NOT NULL"),
            postgresql_where=text("remaining > 0 AND matures_at IS NOT NULL"),
        ),
    )


class LotUse(SQLModel, table=True):
    """How much of which lot a movement took, negative where it put back: remaining = amount − the sum of these."""

    __tablename__ = "lot_use"
    movement_id: int = ref("movement.id", null=False, primary=True)
    lot_id: int = ref("point_lot.id", null=False, primary=True, index=True)
    amount: int = big()


class CouponTemplate(SQLModel, table=True):
    """The offer; rules as in members.rules.CouponRule. Checks guard `issued` and `committed` (分) to the last copy.

    `committed` is what the copies may still cost at most, plus what the redeemed ones have cost.
    """

    __tablename__ = "coupon_template"
    code: str = Field(primary_key=True)
    title: str
    rule: dict[str, Any] = json_column()
    stock: int | None = None
    issued: int = 0
    per_member: int | None = None
    per_day: int | None = None
    budget: int | None = big(None, null=True)
    committed: int = big(0)
    active: bool = True
    source: str = "config"

    __table_args__ = (
        CheckConstraint("stock IS NULL OR issued <= stock", name="ck_template_stock"),
        CheckConstraint("issued >= 0 AND committed >= 0", name="ck_template_counts"),
        CheckConstraint("budget IS NULL OR committed <= budget", name="ck_template_budget"),
    )


class CouponGrant(SQLModel, table=True):
    """How many copies of a template a member ever got and kept: the counter behind per_member."""

    __tablename__ = "coupon_grant"
    template: str = Field(primary_key=True, foreign_key="coupon_template.code")
    member_id: int = ref("member.id", null=False, primary=True)
    count: int = 0


class Coupon(SQLModel, table=True):
    """One member's copy of a template: issued → (locked) → redeemed | expired | void, each by a conditional update.

    `face` (分) is what this copy takes off, where its template leaves that open;
    `granted_to` is whose limit it counts for; `reserved` (分) is its part of the committed budget, `discount`
    (分) what it took off when redeemed; `returned` says that stock and limits got it back when it was voided.
    """

    id: int | None = key()
    code: str = Field(unique=True)
    key: str = Field(unique=True)
    template: str = Field(foreign_key="coupon_template.code", index=True)
    member_id: int = ref("member.id", null=False)
    granted_to: int = ref("member.id", null=False, index=True)
    title: str = ""
    state: str = "issued"
    issued_at: datetime = when()
    issued_by: str = ""
    reason: str = ""
    decision_id: int | None = ref("decision.id")
    expires_at: datetime = when()
    face: int | None = big(None, null=True)
    reserved: int = big(0)
    locked_until: datetime | None = when(null=True)
    lock_key: str = ""
    redeemed_at: datetime | None = when(null=True)
    redeemed_by: str = ""
    redeemed_store: str | None = None
    discount: int = big(0)
    order_id: int | None = ref("orders.id", index=True)
    slot_id: int | None = ref("coupon_slot.id")
    returned: bool = False
    noticed_at: datetime | None = when(null=True)

    __table_args__ = (
        CheckConstraint("state IN ('issued','locked','redeemed','expired','void')", name="ck_coupon_state"),
        CheckConstraint("reserved >= 0 AND discount >= 0", name="ck_coupon_amounts"),
        Index("ix_coupon_member", "member_id", "state", "expires_at"),
        Index("ix_coupon_due", "state", "expires_at"),
    )


class CouponSlot(SQLModel, table=True):
    """One appointment of an experience coupon; the check guards its places."""

    __tablename__ = "coupon_slot"
    id: int | None = key()
    template: str = Field(foreign_key="coupon_template.code")
    starts_at: datetime = when()
    capacity: int
    taken: int = 0

    __table_args__ = (
        UniqueConstraint("template", "starts_at", name="ux_slot"),
        CheckConstraint("taken >= 0 AND taken <= capacity", name="ck_slot_places"),
    )


class CouponTransfer(SQLModel, table=True):
    """A coupon on its way to a friend: open → claimed | cancelled | expired. The word the friend types is hashed."""

    __tablename__ = "coupon_transfer"
    id: int | None = key()
    token_hash: str = Field(unique=True)
    coupon_id: int = ref("coupon.id", null=False, index=True)
    from_member: int = ref("member.id", null=False)
    to_member: int | None = ref("member.id")
    state: str = "open"
    created_at: datetime = when()
    expires_at: datetime = when()
    settled_at: datetime | None = when(null=True)
