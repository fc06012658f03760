"""The counter: orders, refunds, gifts, tiers, staff, tills"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from members.tables.base import UtcDateTime

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UNIQUE = {"uq": "uq_%(table_name)s_%(column_0_name)s"}
LEFT, NEW_LOTS = sa.text("remaining > 0"), sa.text("remaining > 0 AND matures_at IS NOT NULL")

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    _new_tables()
    _more_columns()
    _orders()
    _value()


def _new_tables() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("store_id", sa.String(), nullable=True),
        sa.Column("scopes", sa.JSON(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["store_id"],
            ["store.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "coupon_slot",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("template", sa.String(), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.CheckConstraint("taken >= 0 AND taken <= capacity", name="ck_slot_places"),
        sa.ForeignKeyConstraint(
            ["template"],
            ["coupon_template.code"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("template", "starts_at", name="ux_slot"),
    )
    op.create_table(
        "api_request",
        sa.Column("key_id", BIG, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"],
            ["api_key.id"],
        ),
        sa.PrimaryKeyConstraint("key_id", "key"),
    )
    with op.batch_alter_table("api_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_request_at"), ["at"], unique=False)

    op.create_table(
        "member_merge",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("source_id", BIG, nullable=False),
        sa.Column("target_id", BIG, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.Column("undone_by", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["member.id"],
        ),
        sa.ForeignKeyConstraint(
            ["target_id"],
            ["member.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("member_merge", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_member_merge_source_id"), ["source_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_member_merge_target_id"), ["target_id"], unique=False)

    op.create_table(
        "member_tag",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("member_tag", schema=None) as batch_op:
        batch_op.create_index(
            "ux_member_tag",
            ["member_id", "tag"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.create_table(
        "paid_membership",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("price", BIG, nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    with op.batch_alter_table("paid_membership", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_paid_membership_member_id"), ["member_id"], unique=False)

    op.create_table(
        "perk_use",
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("perk", sa.String(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
        ),
        sa.PrimaryKeyConstraint("member_id", "perk", "month"),
    )
    op.create_table(
        "staff_deed",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("staff_id", BIG, nullable=False),
        sa.Column("store_id", sa.String(), nullable=True),
        sa.Column("member_id", BIG, nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("amount", BIG, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("undo_until", UtcDateTime(), nullable=True),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.Column("undone_by", sa.String(), nullable=False),
        sa.Column("approved_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    with op.batch_alter_table("staff_deed", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_deed_member_id"), ["member_id"], unique=False)
        batch_op.create_index("ix_staff_deed_staff", ["staff_id", "at"], unique=False)
        batch_op.create_index("ix_staff_deed_store", ["store_id", "at"], unique=False)

    op.create_table(
        "staff_task",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("store_id", sa.String(), nullable=True),
        sa.Column("staff_id", BIG, nullable=True),
        sa.Column("member_id", BIG, nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("done_by", BIG, nullable=True),
        sa.Column("result", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["done_by"],
            ["staff.id"],
        ),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    with op.batch_alter_table("staff_task", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_task_state"), ["state"], unique=False)

    op.create_table(
        "tier_event",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("before", sa.String(), nullable=False),
        sa.Column("after", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("tier_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tier_event_member_id"), ["member_id"], unique=False)

    op.create_table(
        "approval",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("staff_id", BIG, nullable=False),
        sa.Column("store_id", sa.String(), nullable=True),
        sa.Column("member_id", BIG, nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("amount", BIG, nullable=False),
        sa.Column("params", sa.JSON(), nullable=True),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("decided_by", BIG, nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("deed_id", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["decided_by"],
            ["staff.id"],
        ),
        sa.ForeignKeyConstraint(
            ["deed_id"],
            ["staff_deed.id"],
        ),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    with op.batch_alter_table("approval", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_approval_state"), ["state"], unique=False)

    op.create_table(
        "member_merge_item",
        sa.Column("merge_id", BIG, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["merge_id"],
            ["member_merge.id"],
        ),
        sa.PrimaryKeyConstraint("merge_id", "kind", "ref"),
    )
    op.create_table(
        "refund",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("order_id", BIG, nullable=False),
        sa.Column("refund_no", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("amount", BIG, nullable=False),
        sa.Column("cash_back", BIG, nullable=False),
        sa.Column("principal_back", BIG, nullable=False),
        sa.Column("gift_back", BIG, nullable=False),
        sa.Column("points_due", BIG, nullable=False),
        sa.Column("points_taken", BIG, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("store_id", sa.String(), nullable=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.CheckConstraint("amount > 0 AND amount = cash_back + principal_back + gift_back", name="ck_refund_amount"),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("order_id", "refund_no", name="ux_refund_no"),
    )
    op.create_table(
        "coupon_transfer",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("coupon_id", BIG, nullable=False),
        sa.Column("from_member", BIG, nullable=False),
        sa.Column("to_member", BIG, nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["coupon_id"],
            ["coupon.id"],
        ),
        sa.ForeignKeyConstraint(
            ["from_member"],
            ["member.id"],
        ),
        sa.ForeignKeyConstraint(
            ["to_member"],
            ["member.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    with op.batch_alter_table("coupon_transfer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_coupon_transfer_coupon_id"), ["coupon_id"], unique=False)

    op.create_table(
        "gift_grant",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("order_id", BIG, nullable=True),
        sa.Column("movement_id", BIG, nullable=True),
        sa.Column("coupon_id", BIG, nullable=True),
        sa.Column("points", BIG, nullable=False),
        sa.Column("taken_back", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["coupon_id"],
            ["coupon.id"],
        ),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
        ),
        sa.ForeignKeyConstraint(
            ["movement_id"],
            ["movement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
        ),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("gift_grant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_gift_grant_member_id"), ["member_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_gift_grant_order_id"), ["order_id"], unique=False)


def _text(name: str) -> "sa.Column[str]":
    return sa.Column(name, sa.String(), nullable=False, server_default="")


def _amount(name: str) -> "sa.Column[int]":
    return sa.Column(name, BIG, nullable=False, server_default="0")


def _columns(*columns: "sa.Column[Any]") -> "tuple[sa.Column[Any], ...]":
    return columns


def _more_columns() -> None:
    added: dict[str, tuple[sa.Column[Any], ...]] = {
        "audit_log": (
            sa.Column("store_id", sa.String()),
            _text("origin"),
            _text("approved_by"),
            sa.Column("before", sa.JSON()),
            sa.Column("after", sa.JSON()),
        ),
        "member": (sa.Column("tier_since", UtcDateTime()), sa.Column("tier_until", sa.Date())),
        "movement": (sa.Column("store_id", sa.String()),),
        "order_line": (_amount("refunded_quantity"), _amount("refunded_amount")),
        "product": (_text("brand"),),
        "store": (_text("brand"),),
    }
    for table, columns in added.items():
        for column in columns:
            op.add_column(table, column)
    op.create_index("ix_lot_use_lot_id", "lot_use", ["lot_id"])
    tail = sa.text("kind = 'tail' AND ended_at IS NULL")
    op.create_index("ix_identity_tail", "identity", ["value"], sqlite_where=tail, postgresql_where=tail)
    once = sa.text("reverses IS NOT NULL")
    op.create_index(
        "ux_movement_reverses", "movement", ["reverses"], unique=True, sqlite_where=once, postgresql_where=once
    )
    with op.batch_alter_table("staff") as batch:
        for column in _columns(
            _text("created_by"),
            sa.Column("bound_at", UtcDateTime()),
            _text("phone_index"),
            sa.Column("phone_sealed", sa.LargeBinary()),
            sa.Column("invite_hash", sa.String()),
            sa.Column("invite_until", UtcDateTime()),
        ):
            batch.add_column(column)
        batch.create_unique_constraint("uq_staff_invite_hash", ["invite_hash"])


def _orders() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("orders", naming_convention=UNIQUE) as batch:
        for column in _columns(
            _text("scope"),
            _amount("refunded"),
            _amount("paid_principal"),
            _amount("paid_gift"),
            _text("by"),
            _text("digest"),
        ):
            batch.add_column(column)
        batch.drop_constraint("uq_orders_order_no" if sqlite else "orders_order_no_key", type_="unique")
        batch.create_unique_constraint("ux_orders_no", ["scope", "order_no"])
        batch.create_check_constraint(
            "ck_orders_amounts",
            "total >= 0 AND discount >= 0 AND refunded >= 0 AND refunded <= total "
            "AND paid_principal >= 0 AND paid_gift >= 0 AND paid_principal + paid_gift <= total",
        )
    unknown = sa.text("member_id IS NULL")
    op.create_index("ix_orders_buyer", "orders", ["buyer"], sqlite_where=unknown, postgresql_where=unknown)


def _value() -> None:
    with op.batch_alter_table("account") as batch:
        batch.drop_constraint("ck_account_not_negative", type_="check")
        batch.create_check_constraint(
            "ck_account_sign", "(kind <> 'owed' AND balance >= 0) OR (kind = 'owed' AND balance <= 0)"
        )
    op.drop_index("ix_lot_open", "point_lot")
    with op.batch_alter_table("point_lot") as batch:
        batch.add_column(sa.Column("account", sa.String(), nullable=False, server_default="points"))
        batch.add_column(sa.Column("order_id", BIG, sa.ForeignKey("orders.id", name="fk_lot_order")))
        batch.add_column(sa.Column("matures_at", UtcDateTime()))
    op.execute(
        "UPDATE point_lot SET order_id = (SELECT order_id FROM movement WHERE movement.id = point_lot.movement_id)"
    )
    op.create_index(
        "ix_lot_open",
        "point_lot",
        ["member_id", "account", "expires_at", "id"],
        sqlite_where=LEFT,
        postgresql_where=LEFT,
    )
    op.create_index("ix_lot_maturing", "point_lot", ["matures_at"], sqlite_where=NEW_LOTS, postgresql_where=NEW_LOTS)
    for name in ("movement_id", "order_id"):
        op.create_index(f"ix_point_lot_{name}", "point_lot", [name])
    with op.batch_alter_table("coupon_template") as batch:
        for column in _columns(sa.Column("per_day", sa.Integer()), sa.Column("budget", BIG), _amount("committed")):
            batch.add_column(column)
        batch.create_check_constraint("ck_template_counts", "issued >= 0 AND committed >= 0")
        batch.create_check_constraint("ck_template_budget", "budget IS NULL OR committed <= budget")
    _coupons()


def _coupons() -> None:
    op.add_column("coupon", sa.Column("granted_to", BIG))
    op.execute("UPDATE coupon SET granted_to = member_id")
    with op.batch_alter_table("coupon") as batch:
        for column in _columns(
            sa.Column("face", BIG),
            _amount("reserved"),
            sa.Column("locked_until", UtcDateTime()),
            _text("lock_key"),
            _amount("discount"),
            sa.Column("slot_id", BIG, sa.ForeignKey("coupon_slot.id", name="fk_coupon_slot")),
            sa.Column("returned", sa.Boolean(), nullable=False, server_default=sa.false()),
            sa.Column("noticed_at", UtcDateTime()),
        ):
            batch.add_column(column)
        batch.alter_column("granted_to", existing_type=BIG, nullable=False)
        batch.create_foreign_key("fk_coupon_granted_to", "member", ["granted_to"], ["id"])
        batch.create_check_constraint("ck_coupon_amounts", "reserved >= 0 AND discount >= 0")
    op.create_index("ix_coupon_due", "coupon", ["state", "expires_at"])
    for name in ("granted_to", "order_id"):
        op.create_index(f"ix_coupon_{name}", "coupon", [name])
