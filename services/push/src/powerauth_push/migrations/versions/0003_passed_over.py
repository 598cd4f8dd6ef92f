"""Which registrations a campaign has passed over (spec/push-api.md §15)."""

import sqlalchemy as sa
from alembic import op

revision = "0003_passed_over"
down_revision = "0002_own_additions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table that nobody else knows; what a running campaign passed over before is not in it."""
    op.create_table(
        "push_campaign_passed",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("registration_id", sa.Integer, primary_key=True, autoincrement=False),
    )


def downgrade() -> None:
    """Whoever was passed over keeps later registrations of his token from it again."""
    op.drop_table("push_campaign_passed")
