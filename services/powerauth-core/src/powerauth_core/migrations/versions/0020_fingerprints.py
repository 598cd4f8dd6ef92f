"""Fingerprints of devices (spec/device-trust.md §6.3)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020_fingerprints"
down_revision = "0019_passkey_revalidation"
branch_labels = None
depends_on = None

TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")
INDEXES = {
    "stable_hash": ["application_id", "stable_hash"],
    "vendor_id": ["application_id", "vendor_id"],
    "device_id": ["device_id"],
    "cluster_id": ["cluster_id"],
    "activation_id": ["activation_id"],
    "last_seen": ["last_seen"],
}


def upgrade() -> None:
    """Add a table that nobody else knows."""
    op.create_table(
        "dt_fingerprint",
        sa.Column("fingerprint_id", sa.String(37), primary_key=True),
        sa.Column("application_id", sa.Integer(), sa.ForeignKey("pa_application.id"), nullable=False),
        sa.Column("device_id", sa.String(37)),
        sa.Column("cluster_id", sa.String(37)),
        sa.Column("activation_id", sa.String(37)),
        sa.Column("stable_hash", sa.String(43), nullable=False),
        sa.Column("vendor_id", sa.String(43)),
        sa.Column("components", sa.Text(), nullable=False),
        sa.Column("first_seen", TS, nullable=False),
        sa.Column("last_seen", TS, nullable=False),
        sa.Column("seen_count", sa.Integer(), nullable=False),
    )
    for name, columns in INDEXES.items():
        op.create_index(f"dt_fingerprint_{name}_idx", "dt_fingerprint", columns)


def downgrade() -> None:
    """Devices are new again."""
    op.drop_table("dt_fingerprint")
