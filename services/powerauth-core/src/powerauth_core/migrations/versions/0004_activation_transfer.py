"""Which activation opened another one, and how (spec/device-trust.md §5.2)."""

import sqlalchemy as sa
from alembic import op

revision = "0004_activation_transfer"
down_revision = "0003_statement_key"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns and an index; a newer server of the original has the columns already."""
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("pa_activation")}
    if "parent_activation_id" not in known:
        # One statement for both databases: SQLite takes a foreign key only together with its column.
        op.execute(
            "ALTER TABLE pa_activation ADD COLUMN parent_activation_id VARCHAR(37)"
            " CONSTRAINT activation_parent_fk REFERENCES pa_activation (activation_id)"
        )
    if "transfer_type" not in known:
        op.add_column("pa_activation", sa.Column("transfer_type", sa.String(32)))
    op.create_index("pa_activation_parent_idx", "pa_activation", ["parent_activation_id"])


def downgrade() -> None:
    """Children stay as ordinary activations."""
    op.drop_index("pa_activation_parent_idx", "pa_activation")
    with op.batch_alter_table("pa_activation") as activation:
        activation.drop_column("transfer_type")
        activation.drop_constraint("activation_parent_fk", type_="foreignkey")
        activation.drop_column("parent_activation_id")
