"""Signed tokens: their keys, clients and sessions, and what is no longer accepted; binding tickets
(spec/device-trust.md §1.9, §2); whether operations of a template may be exchanged for tokens.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017_signed_tokens"
down_revision = "0016_fido_metadata"
branch_labels = None
depends_on = None

TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")
NOTHING = sa.text("0")


def upgrade() -> None:
    """Add the tables, and a column with a default."""
    _keys()
    _clients()
    _sessions()
    op.create_table(
        "pa_jwt_revoked",
        sa.Column("jti", sa.String(36), primary_key=True),
        sa.Column("exp", TS, nullable=False),
    )
    op.create_index("pa_jwt_revoked_exp", "pa_jwt_revoked", ["exp"])
    op.create_table(
        "pa_jwt_not_before",
        sa.Column("subject_type", sa.String(16), primary_key=True),
        sa.Column("application_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("subject", sa.String(255), primary_key=True),
        sa.Column("ts", TS, nullable=False),
    )
    _tickets()
    op.add_column(
        "pa_operation_template",
        sa.Column("issue_tokens", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    """Tokens that were issued are worthless afterwards: their keys are gone."""
    with op.batch_alter_table("pa_operation_template") as columns:
        columns.drop_column("issue_tokens")
    for table in (
        "dt_ticket",
        "pa_jwt_not_before",
        "pa_jwt_revoked",
        "pa_jwt_user",
        "pa_jwt_session",
        "pa_oidc_client",
        "pa_jwt_key",
    ):
        op.drop_table(table)


def _application(constraint: str, *, key: bool = False, nullable: bool = False) -> sa.Column[int]:
    reference = sa.ForeignKey("pa_application.id", name=constraint)
    return sa.Column(
        "application_id", sa.Integer(), reference, primary_key=key, autoincrement=False, nullable=nullable
    )


def _keys() -> None:
    op.create_table(
        "pa_jwt_key",
        sa.Column("id", sa.String(37), primary_key=True),
        _application("pa_jwt_key_application_fk", nullable=True),
        sa.Column("kid", sa.String(43), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("signing_scope", sa.Integer()),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("public_jwk", sa.Text(), nullable=False),
        sa.Column("private_key", sa.Text()),
        sa.Column("private_key_encryption", sa.Integer(), nullable=False, server_default=NOTHING),
        sa.Column("timestamp_created", TS, nullable=False),
        sa.Column("timestamp_signing_from", TS),
        sa.Column("timestamp_retired", TS),
        sa.Column("timestamp_disabled", TS),
        sa.Column("row_mac", sa.String(64)),
    )
    op.create_index("pa_jwt_key_kid", "pa_jwt_key", ["kid"], unique=True)
    op.create_index("pa_jwt_key_application", "pa_jwt_key", ["application_id"])
    op.create_index("pa_jwt_key_signing", "pa_jwt_key", ["signing_scope"], unique=True)


def _clients() -> None:
    op.create_table(
        "pa_oidc_client",
        sa.Column("client_id", sa.String(255), primary_key=True),
        _application("pa_oidc_client_application_fk"),
        sa.Column("auth_method", sa.String(32), nullable=False),
        sa.Column("secret_hash", sa.String(255)),
        sa.Column("secret_hash_encryption", sa.Integer(), nullable=False, server_default=NOTHING),
        sa.Column("jwks", sa.Text()),
        sa.Column("grant_types", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("resources", sa.Text(), nullable=False),
        sa.Column("access_token_typ", sa.String(16), nullable=False),
        sa.Column("use_app_keys", sa.Integer(), nullable=False),
        sa.Column("default_claims", sa.Text()),
        sa.Column("access_ttl", sa.Integer()),
        sa.Column("id_ttl", sa.Integer()),
        sa.Column("refresh_ttl", sa.Integer()),
        sa.Column("timestamp_created", TS, nullable=False),
        sa.Column("row_mac", sa.String(64)),
    )
    op.create_index("pa_oidc_client_application", "pa_oidc_client", ["application_id"])


def _sessions() -> None:
    op.create_table(
        "pa_jwt_session",
        sa.Column("session_id", sa.String(36), primary_key=True),
        _application("pa_jwt_session_application_fk"),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("username", sa.String(255)),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("resource", sa.String(255), nullable=False),
        sa.Column("activation_id", sa.String(37)),
        sa.Column("device_id", sa.String(37)),
        sa.Column("device_key_id", sa.String(43)),
        sa.Column("authentication", sa.Text(), nullable=False),
        sa.Column("refresh_secret", sa.String(255)),
        sa.Column("refresh_secret_encryption", sa.Integer(), nullable=False, server_default=NOTHING),
        sa.Column("refresh_number", sa.Integer(), nullable=False, server_default=NOTHING),
        sa.Column("revoked", sa.Integer(), nullable=False, server_default=NOTHING),
        sa.Column("timestamp_created", TS, nullable=False),
        sa.Column("timestamp_refreshed", TS, nullable=False),
        sa.Column("timestamp_expires", TS, nullable=False),
        sa.Column("row_mac", sa.String(64)),
    )
    op.create_index("pa_jwt_session_activation", "pa_jwt_session", ["activation_id"])
    op.create_index("pa_jwt_session_user", "pa_jwt_session", ["user_id"])
    op.create_index("pa_jwt_session_expires", "pa_jwt_session", ["timestamp_expires"])
    op.create_table(
        "pa_jwt_user",
        _application("pa_jwt_user_application_fk", key=True),
        sa.Column("user_id", sa.String(255), primary_key=True),
        sa.Column("timestamp_created", TS, nullable=False),
    )


def _tickets() -> None:
    op.create_table(
        "dt_ticket",
        sa.Column("hash", sa.String(64), primary_key=True),
        _application("dt_ticket_application_fk"),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("expires_at", TS, nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("used_at", TS),
        sa.Column("created_by", sa.String(255)),
        sa.Column("row_mac", sa.String(64)),
    )
    op.create_index("dt_ticket_expires_at", "dt_ticket", ["expires_at"])
