"""Who is removed from a campaign that has begun (spec/push-api.md §15)."""

import sqlalchemy as sa
from alembic import op

revision = "0007_removed_users"
down_revision = "0006_order_of_announcements"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table that the release before does not read: for it, too, who is removed is gone."""
    op.create_table(
        "push_campaign_removed",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("user_id", sa.String(255), primary_key=True),
        sa.Column("removed_behind", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Whose tokens have had the message is forgotten."""
    op.drop_table("push_campaign_removed")
