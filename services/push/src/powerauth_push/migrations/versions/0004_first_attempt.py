"""When a message was first tried (spec/push-api.md §8)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004_first_attempt"
down_revision = "0003_passed_over"
branch_labels = None
depends_on = None

TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")


def upgrade() -> None:
    """Add a column that may be empty; for what waits already, the time for its tries begins anew."""
    op.add_column("push_delivery", sa.Column("timestamp_first", TS))


def downgrade() -> None:
    """The time for tries counts from when a message was made again."""
    with op.batch_alter_table("push_delivery") as columns:
        columns.drop_column("timestamp_first")
