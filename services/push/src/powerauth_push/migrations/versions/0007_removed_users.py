"""Who is removed from a campaign that has begun (spec/push-api.md §15)."""

import sqlalchemy as sa
from alembic import op

revision = "0007_removed_users"
down_revision = "0006_order_of_announcements"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that may be empty: nobody that is there is removed."""
    op.add_column("push_campaign_user", sa.Column("removed_behind", sa.Integer()))


def downgrade() -> None:
    """Whoever was removed is forgotten, and with them whose tokens have had the message."""
    op.execute("DELETE FROM push_campaign_user WHERE removed_behind IS NOT NULL")
    with op.batch_alter_table("push_campaign_user") as columns:
        columns.drop_column("removed_behind")
