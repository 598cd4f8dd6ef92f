"""How often a user may be asked (spec/core-api.md §19.10)."""

import sqlalchemy as sa
from alembic import op

revision = "0010_user_limits"
down_revision = "0009_unexpected_operation"
branch_labels = None
depends_on = None

COLUMNS = ("user_pending_limit", "user_minute_limit")


def upgrade() -> None:
    """Add columns that may be empty, and a table that nobody else knows."""
    for name in COLUMNS:
        op.add_column("pa_operation_template", sa.Column(name, sa.Integer()))
    op.create_table(
        "operation_user",
        sa.Column("user_id", sa.String(255), primary_key=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    """Users are asked without limit again."""
    op.drop_table("operation_user")
    with op.batch_alter_table("pa_operation_template") as columns:
        for name in COLUMNS:
            columns.drop_column(name)
