"""Of which trace a later delivery is a part (docs/operations.md, traces)."""

import sqlalchemy as sa
from alembic import op

revision = "0012_traces"
down_revision = "0011_audit_chain_key"
branch_labels = None
depends_on = None

TABLES = ("outbox_event", "pa_application_callback_event")


def upgrade() -> None:
    """Add columns that may be empty: what waits already is a part of none."""
    for table in TABLES:
        op.add_column(table, sa.Column("traceparent", sa.String(55)))


def downgrade() -> None:
    """What waits is a part of no trace again."""
    for table in TABLES:
        with op.batch_alter_table(table) as columns:
            columns.drop_column("traceparent")
