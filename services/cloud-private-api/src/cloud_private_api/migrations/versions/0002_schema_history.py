"""The revisions applied, and who runs which job (D27)."""

import sqlalchemy as sa
from alembic import op

from servicekit.database import UtcTimestamp

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables. The migrations fill the first with all revisions up to this one."""
    op.create_table(
        "pa_schema_history",
        sa.Column("revision", sa.String(64), primary_key=True),
        sa.Column("minimum_release", sa.String(32)),
        sa.Column("timestamp_applied", UtcTimestamp, nullable=False),
    )
    op.create_table(
        "job_lease",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("valid_until", UtcTimestamp, nullable=False),
    )


def downgrade() -> None:
    """Nothing but these tables goes away."""
    op.drop_table("job_lease")
    op.drop_table("pa_schema_history")
