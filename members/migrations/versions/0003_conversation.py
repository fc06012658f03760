"""Arrivals, invitations, children, handoffs, erasures, export links"""

import sqlalchemy as sa
from alembic import op

from members.tables.base import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "arrival",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("openid", sa.String(), nullable=True),
        sa.Column("member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("scene", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("arrival", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_arrival_member_id"), ["member_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_arrival_openid"), ["openid"], unique=False)

    op.create_table(
        "child",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("stage_until", sa.Date(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("child", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_child_member_id"), ["member_id"], unique=False)

    op.create_table(
        "erasure",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("erasure", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_erasure_due_at"), ["due_at"], unique=False)
        batch_op.create_index(
            "ux_erasure_waiting",
            ["member_id"],
            unique=True,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )

    op.create_table(
        "export_link",
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("fetched", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
        ),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    with op.batch_alter_table("export_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_export_link_member_id"), ["member_id"], unique=False)

    op.create_table(
        "handoff",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("openid", sa.String(), nullable=True),
        sa.Column("member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("handoff", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_handoff_member_id"), ["member_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_handoff_openid"), ["openid"], unique=False)

    op.create_table(
        "invitation",
        sa.Column("member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
        ),
        sa.PrimaryKeyConstraint("member_id"),
        sa.UniqueConstraint("code"),
    )
    op.create_table(
        "referral",
        sa.Column("invitee_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("inviter_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["invitee_id"],
            ["member.id"],
        ),
        sa.ForeignKeyConstraint(
            ["inviter_id"],
            ["member.id"],
        ),
        sa.PrimaryKeyConstraint("invitee_id"),
    )
    with op.batch_alter_table("referral", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_referral_inviter_id"), ["inviter_id"], unique=False)

    _refunds(">=")
    with op.batch_alter_table("follower", schema=None) as batch_op:
        batch_op.add_column(sa.Column("paused_until", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("near_store", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("near_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("script", sa.String(), nullable=False, server_default=""))

    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.add_column(sa.Column("attention", sa.Integer(), nullable=True))


def _refunds(least: str) -> None:
    """What was free comes back for nothing."""
    same = "amount = cash_back + principal_back + gift_back"
    with op.batch_alter_table("refund") as batch:
        batch.drop_constraint("ck_refund_amount", type_="check")
        batch.create_check_constraint("ck_refund_amount", f"amount {least} 0 AND {same}")


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.drop_column("attention")

    with op.batch_alter_table("follower", schema=None) as batch_op:
        batch_op.drop_column("script")
        batch_op.drop_column("near_at")
        batch_op.drop_column("near_store")
        batch_op.drop_column("paused_until")

    with op.batch_alter_table("referral", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_referral_inviter_id"))

    op.drop_table("referral")
    op.drop_table("invitation")
    with op.batch_alter_table("handoff", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_handoff_openid"))
        batch_op.drop_index(batch_op.f("ix_handoff_member_id"))

    op.drop_table("handoff")
    with op.batch_alter_table("export_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_export_link_member_id"))

    op.drop_table("export_link")
    with op.batch_alter_table("erasure", schema=None) as batch_op:
        batch_op.drop_index(
            "ux_erasure_waiting",
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )
        batch_op.drop_index(batch_op.f("ix_erasure_due_at"))

    op.drop_table("erasure")
    with op.batch_alter_table("child", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_child_member_id"))

    op.drop_table("child")
    with op.batch_alter_table("arrival", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_arrival_openid"))
        batch_op.drop_index(batch_op.f("ix_arrival_member_id"))

    op.drop_table("arrival")
