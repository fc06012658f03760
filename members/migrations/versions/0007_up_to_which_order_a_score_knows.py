"""Up to which order a score knows"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("member_score", schema=None) as batch_op:
        batch_op.add_column(sa.Column("orders_read", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("member_score", schema=None) as batch_op:
        batch_op.drop_column("orders_read")
