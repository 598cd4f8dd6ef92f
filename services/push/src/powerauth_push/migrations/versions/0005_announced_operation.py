"""Which operation a message announces (spec/push-api.md §7.1)."""

import sqlalchemy as sa
from alembic import op

revision = "0005_announced_operation"
down_revision = "0004_first_attempt"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that may be empty; what waits already is sent whatever becomes of its operation."""
    op.add_column("push_delivery", sa.Column("operation_id", sa.String(37)))
    op.create_index("push_delivery_operation", "push_delivery", ["operation_id"])


def downgrade() -> None:
    """Announcements that wait are sent whatever becomes of their operations again."""
    op.drop_index("push_delivery_operation", "push_delivery")
    with op.batch_alter_table("push_delivery") as columns:
        columns.drop_column("operation_id")
