"""Keys of the audit's chains that outlive their master key (D34)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011_audit_chain_key"
down_revision = "0010_user_limits"
branch_labels = None
depends_on = None

TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")


def upgrade() -> None:
    """Add a table that nobody else knows."""
    op.create_table(
        "audit_chain_key",
        sa.Column("key_id", sa.String(16), primary_key=True),
        sa.Column("chain_key", sa.String(255), nullable=False),
        sa.Column("chain_key_encryption", sa.Integer(), nullable=False),
        sa.Column("timestamp_created", TS, nullable=False),
    )


def downgrade() -> None:
    """Chains of before a rotation are checked with the master key of then."""
    op.drop_table("audit_chain_key")
