"""Rows that only a holder of the master key can have written, and whether the key is the right one (D32);
which rows of the signature audit retention has dropped (docs/audit.md).
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006_row_macs"
down_revision = "0005_audit_partitions"
branch_labels = None
depends_on = None

TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")
BOUND_TABLES = ("pa_activation", "pa_application_callback", "pa_application_config", "pa_integration")


def upgrade() -> None:
    """Add a column that may be empty to each table, and a table; an earlier release sees neither."""
    for table in BOUND_TABLES:
        op.add_column(table, sa.Column("row_mac", sa.String(64)))
    op.create_table(
        "master_key_record",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("key_check", sa.String(64), nullable=False),
        sa.Column("row_binding", sa.String(16), nullable=False),
        sa.Column("seal", sa.String(64), nullable=False),
        sa.Column("timestamp_created", TS, nullable=False),
    )
    op.add_column("audit_chain_registry", sa.Column("dropped_before", TS))
    op.add_column("audit_chain_registry", sa.Column("dropped_key_id", sa.String(16)))
    op.add_column("audit_chain_registry", sa.Column("dropped_seal", sa.LargeBinary()))


def downgrade() -> None:
    """Rows are no longer bound; nothing else is lost."""
    op.drop_table("master_key_record")
    with op.batch_alter_table("audit_chain_registry") as registry:
        for column in ("dropped_before", "dropped_key_id", "dropped_seal"):
            registry.drop_column(column)
    for table in BOUND_TABLES:
        with op.batch_alter_table(table) as columns:
            columns.drop_column("row_mac")
