"""Models, and the scores of members and articles"""

import sqlalchemy as sa
from alembic import op

from members.tables.base import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "model_version",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("fitted_at", UtcDateTime(), nullable=False),
        sa.Column("cut", sa.Date(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("checksum", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("measures", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("model_version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_model_version_kind"), ["kind"], unique=False)
        batch_op.create_index(
            "ux_model_current",
            ["kind"],
            unique=True,
            sqlite_where=sa.text("state = 'current'"),
            postgresql_where=sa.text("state = 'current'"),
        )

    op.create_table(
        "member_score",
        sa.Column("member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("suggestions", sa.JSON(), nullable=True),
        sa.Column("cycles", sa.JSON(), nullable=True),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("rhythm", sa.Integer(), nullable=False),
        sa.Column("silence", sa.Integer(), nullable=False),
        sa.Column("value_decile", sa.Integer(), nullable=True),
        sa.Column("rfm", sa.String(), nullable=False),
        sa.Column("rfm_version", sa.String(), nullable=False),
        sa.Column("loyalty", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
        ),
        sa.PrimaryKeyConstraint("member_id"),
    )
    with op.batch_alter_table("member_score", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_member_score_day"), ["day"], unique=False)
        batch_op.create_index("ix_member_score_decile", ["value_decile"], unique=False)
        batch_op.create_index("ix_member_score_stage", ["stage"], unique=False)

    op.create_table(
        "product_score",
        sa.Column("product_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("companions", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
        ),
        sa.PrimaryKeyConstraint("product_id"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("product_score")
    with op.batch_alter_table("member_score", schema=None) as batch_op:
        batch_op.drop_index("ix_member_score_stage")
        batch_op.drop_index("ix_member_score_decile")
        batch_op.drop_index(batch_op.f("ix_member_score_day"))

    op.drop_table("member_score")
    with op.batch_alter_table("model_version", schema=None) as batch_op:
        batch_op.drop_index("ux_model_current")
        batch_op.drop_index(batch_op.f("ix_model_version_kind"))

    op.drop_table("model_version")
