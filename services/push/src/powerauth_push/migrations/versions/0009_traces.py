"""Of which trace a delivery is a part (docs/operations.md, traces)."""

import sqlalchemy as sa
from alembic import op

revision = "0009_traces"
down_revision = "0008_master_key_record"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that may be empty: what waits already is a part of none."""
    op.add_column("push_delivery", sa.Column("traceparent", sa.String(55)))


def downgrade() -> None:
    """What waits is a part of no trace again."""
    with op.batch_alter_table("push_delivery") as columns:
        columns.drop_column("traceparent")
