"""What a rejection as unexpected does to the activation (spec/core-api.md §19.10)."""

import sqlalchemy as sa
from alembic import op

revision = "0009_unexpected_operation"
down_revision = "0008_number_matching"
branch_labels = None
depends_on = None

TABLES = ("pa_operation_template", "pa_operation")


def upgrade() -> None:
    """Add a column that may be empty to two tables; an earlier release sees neither."""
    for table in TABLES:
        op.add_column(table, sa.Column("unexpected_action", sa.String(16)))


def downgrade() -> None:
    """Rejections are without consequences again."""
    for table in TABLES:
        with op.batch_alter_table(table) as columns:
            columns.drop_column("unexpected_action")
