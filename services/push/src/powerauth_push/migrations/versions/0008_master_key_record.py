"""Which master keys the database holds values of (D34)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008_master_key_record"
down_revision = "0007_removed_users"
branch_labels = None
depends_on = None

TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")


def upgrade() -> None:
    """Add a table that nobody else knows; the key is recorded at the next start."""
    op.create_table(
        "push_master_key_record",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("key_check", sa.String(64), nullable=False),
        sa.Column("timestamp_created", TS, nullable=False),
    )


def downgrade() -> None:
    """Nothing is known of the key any more; what was written with a second one cannot be read."""
    op.drop_table("push_master_key_record")
