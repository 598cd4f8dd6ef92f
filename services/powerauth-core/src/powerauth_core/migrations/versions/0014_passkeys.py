"""What is stored of passkeys (spec/device-trust.md §4.1, §4.9)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014_passkeys"
down_revision = "0013_audit_export"
branch_labels = None
depends_on = None

TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")
PASSKEYS = sa.text("protocol = 'fido2'")


def _declare(name: str, length: int) -> None:
    """A table that others refer to can not be made anew while it has rows, and SQLite enforces no length: the
    declaration alone is changed, as its documentation of ALTER TABLE says.
    """
    op.execute("PRAGMA writable_schema = ON")
    op.execute(
        "UPDATE sqlite_master SET sql ="  # noqa: S608 - our names
        f" replace(sql, '{name} VARCHAR(255)', '{name} VARCHAR({length})')"
        " WHERE type = 'table' AND name = 'pa_activation'"
    )
    op.execute("PRAGMA writable_schema = RESET")


def upgrade() -> None:
    """Add tables and an index that nobody else knows, and room for RSA keys and for long credential ids."""
    if op.get_bind().dialect.name == "sqlite":
        _declare("device_public_key_base64", 1000)
        _declare("external_id", 1400)
    else:
        op.alter_column(
            "pa_activation",
            "device_public_key_base64",
            type_=sa.String(1000),
            existing_type=sa.String(255),
        )
        op.alter_column("pa_activation", "external_id", type_=sa.String(1400), existing_type=sa.String(255))
    op.create_index(
        "pa_activation_passkey_idx",
        "pa_activation",
        ["application_id", "external_id"],
        postgresql_where=PASSKEYS,
        sqlite_where=PASSKEYS,
    )
    op.create_table(
        "pa_fido2_attestation",
        sa.Column(
            "activation_id",
            sa.String(37),
            sa.ForeignKey("pa_activation.activation_id", name="pa_fido2_attestation_activation_id_fkey"),
            primary_key=True,
        ),
        sa.Column("fmt", sa.String(32), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("x5c", sa.Text(), nullable=False),
        sa.Column("mds_no", sa.BigInteger()),
        sa.Column("evaluated_at", TS, nullable=False),
    )
    op.create_table(
        "pa_fido2_user",
        sa.Column("user_id", sa.String(255), primary_key=True),
        sa.Column(
            "application_id",
            sa.Integer(),
            sa.ForeignKey("pa_application.id", name="pa_fido2_user_application_id_fkey"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("user_handle", sa.String(32), nullable=False),
    )
    op.create_index(
        "pa_fido2_user_handle_idx", "pa_fido2_user", ["user_handle", "application_id"], unique=True
    )


def downgrade() -> None:
    """Passkeys stay as activations, with what their extras say; the wider columns stay wide."""
    op.drop_table("pa_fido2_user")
    op.drop_table("pa_fido2_attestation")
    op.drop_index("pa_activation_passkey_idx", "pa_activation")
