"""FIDO metadata, and what is known of the data files of passkeys (spec/device-trust.md §4.11)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016_fido_metadata"
down_revision = "0014_passkeys"
branch_labels = None
depends_on = None

TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")
ACTIVE = sa.text("status = 'ACTIVE'")


def upgrade() -> None:
    """Add tables that nobody else knows."""
    op.create_table(
        "pa_mds_blob",
        sa.Column("id", sa.String(37), primary_key=True),
        sa.Column("no", sa.Integer()),
        sa.Column("next_update", sa.Date()),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("loaded_at", TS, nullable=False),
        sa.Column("loaded_by", sa.String(255), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("error", sa.String(255)),
        sa.Column("warned", sa.String(16)),
    )
    op.create_index(
        "pa_mds_blob_active_uk",
        "pa_mds_blob",
        ["status"],
        unique=True,
        postgresql_where=ACTIVE,
        sqlite_where=ACTIVE,
    )
    op.create_table(
        "pa_passkey_data_file",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("sha256", sa.String(64)),
        sa.Column("timestamp_changed", TS, nullable=False),
    )


def downgrade() -> None:
    """Metadata has to be loaded anew."""
    op.drop_table("pa_passkey_data_file")
    op.drop_table("pa_mds_blob")
