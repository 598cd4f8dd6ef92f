"""The order in which the audit log is exported, and how far it has been (docs/audit.md)."""

import sqlalchemy as sa
from alembic import op

from servicekit.database import UtcTimestamp

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PLACED = sa.text("seq IS NOT NULL")


def upgrade() -> None:
    """Number what is written from now on, by whichever release; rows that are there stay as they are."""
    op.add_column("audit_log", sa.Column("seq", sa.BigInteger()))
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE audit_log_seq OWNED BY audit_log.seq")
        # By itself: a column that is added with it would be filled, which rewrites the table.
        op.execute("ALTER TABLE audit_log ALTER COLUMN seq SET DEFAULT nextval('audit_log_seq')")
    op.create_index("audit_log_seq_idx", "audit_log", ["seq"], postgresql_where=PLACED, sqlite_where=PLACED)
    op.create_table(
        "audit_export_cursor",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("timestamp_updated", UtcTimestamp, nullable=False),
    )


def downgrade() -> None:
    """What is exported afterwards begins anew."""
    op.drop_table("audit_export_cursor")
    op.drop_index("audit_log_seq_idx", "audit_log")
    with op.batch_alter_table("audit_log") as columns:
        columns.drop_column("seq")
