"""Runs of the daily look at stored attestations (spec/device-trust.md §4.11)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019_passkey_revalidation"
down_revision = "0018_passkey_sessions"
branch_labels = None
depends_on = None

TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")
FIGURES = ("checked", "found_invalid", "found_changed", "invalidated", "restored")


def upgrade() -> None:
    """Add a table that nobody else knows."""
    op.create_table(
        "pa_passkey_revalidation",
        sa.Column("id", sa.String(37), primary_key=True),
        sa.Column("no", sa.Integer()),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("started_at", TS, nullable=False),
        sa.Column("finished_at", TS),
        sa.Column("application", sa.String(255), nullable=False, server_default=""),
        sa.Column("position", sa.String(255), nullable=False, server_default=""),
        *(sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0")) for name in FIGURES),
    )


def downgrade() -> None:
    """The next run begins anew."""
    op.drop_table("pa_passkey_revalidation")
