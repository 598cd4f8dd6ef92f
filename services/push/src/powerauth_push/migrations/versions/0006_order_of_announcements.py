"""The newest announcements are found among all that waits (spec/push-api.md §8)."""

import sqlalchemy as sa
from alembic import op

revision = "0006_order_of_announcements"
down_revision = "0005_announced_operation"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add an index of what announces an operation."""
    announces = sa.text("operation_id IS NOT NULL")
    op.create_index(
        "push_delivery_announced",
        "push_delivery",
        ["provider", "timestamp_due"],
        postgresql_where=announces,
        sqlite_where=announces,
    )


def downgrade() -> None:
    """What announces an operation has its turn as everything else."""
    op.drop_index("push_delivery_announced", "push_delivery")
