"""The key pair that signs statements about devices for other services (D1 rule 5)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003_statement_key"
down_revision = "0002_own_additions"
branch_labels = None
depends_on = None

TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")


def upgrade() -> None:
    """Add the table; nothing else changes."""
    op.create_table(
        "statement_key",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("private_key_base64", sa.String(255), nullable=False),
        sa.Column("private_key_encryption", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("public_key_base64", sa.String(255), nullable=False),
        sa.Column("timestamp_created", TS, nullable=False),
    )


def downgrade() -> None:
    """Statements signed with the key are worthless afterwards; they live for a minute."""
    op.drop_table("statement_key")
