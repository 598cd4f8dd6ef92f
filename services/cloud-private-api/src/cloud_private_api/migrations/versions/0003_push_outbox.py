"""What is to be sent to phones, until push has taken it (spec/cloud-api.md §13.5)."""

import sqlalchemy as sa
from alembic import op

from servicekit.database import UtcTimestamp

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add one table."""
    op.create_table(
        "pa_cloud_push_outbox",
        sa.Column("id", sa.String(37), primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("timestamp_created", UtcTimestamp, nullable=False),
        sa.Column("timestamp_expires", UtcTimestamp, nullable=False),
        sa.Column("timestamp_due", UtcTimestamp, nullable=False),
    )
    op.create_index("pa_cloud_push_outbox_due", "pa_cloud_push_outbox", ["timestamp_due"])


def downgrade() -> None:
    """What it holds is not sent."""
    op.drop_table("pa_cloud_push_outbox")
