"""Ceremonies of browsers, and how often strangers may try (spec/device-trust.md §1.8, §4.9)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018_passkey_sessions"
down_revision = "0017_signed_tokens"
branch_labels = None
depends_on = None

TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")


def upgrade() -> None:
    """Add tables that nobody else knows."""
    op.create_table(
        "dt_lockout",
        sa.Column("subject", sa.String(128), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("first_failure_at", TS, nullable=False),
        sa.Column("locked_until", TS),
    )
    op.create_index("dt_lockout_first_failure_idx", "dt_lockout", ["first_failure_at"])
    op.create_table(
        "dt_rate",
        sa.Column("subject", sa.String(160), primary_key=True),
        sa.Column("window_start", TS, primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    op.create_index("dt_rate_window_start_idx", "dt_rate", ["window_start"])
    op.create_table(
        "dt_passkey_session",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("application_id", sa.Integer(), sa.ForeignKey("pa_application.id"), nullable=False),
        sa.Column("activation_id", sa.String(37)),
        sa.Column("operation_id", sa.String(37)),
        sa.Column("user_id", sa.String(255)),
        sa.Column("allowed", sa.Text()),
        sa.Column("ticket", sa.String(64)),
        sa.Column("context", sa.Text()),
        sa.Column("expires_at", TS, nullable=False),
        sa.Column("consumed_at", TS),
    )
    op.create_index("dt_passkey_session_expires_at_idx", "dt_passkey_session", ["expires_at"])


def downgrade() -> None:
    """Ceremonies under way end, failures are forgotten."""
    op.drop_table("dt_passkey_session")
    op.drop_table("dt_rate")
    op.drop_table("dt_lockout")
