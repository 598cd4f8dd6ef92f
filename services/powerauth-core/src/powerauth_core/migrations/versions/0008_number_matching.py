"""Number matching of operations (spec/core-api.md §19.10)."""

import sqlalchemy as sa
from alembic import op

revision = "0008_number_matching"
down_revision = "0007_schema_history"
branch_labels = None
depends_on = None

COLUMNS = {
    "pa_operation_template": ("number_matching_digits", "number_matching_choices"),
    "pa_operation": ("number_matching", "number_secret", "number_secret_encryption"),
}


def upgrade() -> None:
    """Add columns that may be empty or have a default; an earlier release sees none of them."""
    op.add_column("pa_operation_template", sa.Column("number_matching_digits", sa.Integer()))
    op.add_column("pa_operation_template", sa.Column("number_matching_choices", sa.Integer()))
    op.add_column("pa_operation", sa.Column("number_matching", sa.String(255)))
    op.add_column("pa_operation", sa.Column("number_secret", sa.String(255)))
    encryption = sa.Column("number_secret_encryption", sa.Integer(), nullable=False, server_default="0")
    op.add_column("pa_operation", encryption)


def downgrade() -> None:
    """Pending operations are approved without their numbers."""
    for table, names in COLUMNS.items():
        with op.batch_alter_table(table) as columns:
            for name in names:
                columns.drop_column(name)
