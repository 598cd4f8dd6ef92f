"""What this implementation adds to the original's schema; everything an original server may ignore.

Secrets at rest (D5, D13), doors (D1 rule 7), texts (D2), audit without secrets (D12), the audit's
subject (cloud-api §16), the outbox and inbox, additional data of 1.10, and indexes for the hot paths.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateSequence

revision = "0002_own_additions"
down_revision = "0001_baseline"
branch_labels = None
depends_on = None

LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")

ENCRYPTED_SECRETS = {
    "pa_master_keypair": "master_key_private_encryption",
    "pa_application_version": "application_secret_encryption",
    "pa_token": "token_secret_encryption",
    "pa_integration": "client_secret_encryption",
}
NUMBERED_BY = {
    "pa_application": "pa_application_seq",
    "pa_application_version": "pa_application_version_seq",
    "pa_master_keypair": "pa_master_keypair_seq",
    "pa_signature_audit": "pa_signature_audit_seq",
    "pa_activation_history": "pa_activation_history_seq",
    "pa_recovery_code": "pa_recovery_code_seq",
    "pa_recovery_puk": "pa_recovery_puk_seq",
    "pa_recovery_config": "pa_recovery_config_seq",
    "pa_operation_template": "pa_operation_template_seq",
    "pa_application_config": "pa_app_conf_seq",
    "pa_application_callback_event": "pa_app_callback_event_seq",
    "es_operation_template": "es_operation_template_seq",
}


def upgrade() -> None:
    """Add our columns, tables and indexes."""
    _columns()
    _operation_texts()
    _events()
    _indexes()
    if op.get_bind().dialect.name == "postgresql":
        for table, sequence in NUMBERED_BY.items():
            op.alter_column(table, "id", server_default=sa.text(f"nextval('{sequence}')"))


def _columns() -> None:
    for table, column in ENCRYPTED_SECRETS.items():
        op.add_column(table, sa.Column(column, sa.Integer(), nullable=False, server_default=sa.text("0")))
    with op.batch_alter_table("pa_integration") as integration:
        integration.alter_column(
            "client_secret", type_=sa.String(255), existing_type=sa.String(37), existing_nullable=False
        )
    op.add_column("pa_integration", sa.Column("kind", sa.String(16), nullable=False, server_default="rest"))
    # Release 1.10 of the original has it already.
    if not _has_column("pa_activation", "additional_data"):
        op.add_column("pa_activation", sa.Column("additional_data", sa.Text()))
    op.add_column("pa_signature_audit", sa.Column("application_version_id", sa.Integer()))
    # A cloud server that shares the database may have added the subject already.
    if not _has_column("audit_log", "subject_id"):
        op.add_column("audit_log", sa.Column("subject_id", sa.String(256)))
    op.drop_index("audit_log_subject_id_idx", "audit_log", if_exists=True)
    op.create_index("audit_log_subject_id_idx", "audit_log", ["subject_id", "timestamp_created"])


def _operation_texts() -> None:
    if op.get_bind().dialect.name == "postgresql":
        sequence = sa.Sequence("es_operation_template_seq", start=1, increment=1, cache=20)
        op.execute(CreateSequence(sequence, if_not_exists=True))
    # An enrollment server of the original that shares the database has brought its texts along.
    if sa.inspect(op.get_bind()).has_table("es_operation_template"):
        return
    op.create_table(
        "es_operation_template",
        sa.Column("id", LONG, primary_key=True, autoincrement=False),
        sa.Column("placeholder", sa.String(255), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("attributes", sa.Text()),
        sa.Column("ui", sa.Text()),
        sa.Column("result_texts", sa.Text()),
    )
    op.create_index(
        "es_operation_template_placeholder",
        "es_operation_template",
        ["placeholder", "language"],
        unique=True,
    )


def _events() -> None:
    op.create_table(
        "outbox_event",
        sa.Column("seq", LONG, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(37), nullable=False, unique=True),
        sa.Column("type", sa.String(128), nullable=False),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("timestamp_created", TS, nullable=False),
    )
    op.create_table(
        "inbox_event",
        sa.Column("event_id", sa.String(37), primary_key=True),
        sa.Column("consumer", sa.String(64), primary_key=True),
        sa.Column("timestamp_handled", TS, nullable=False),
    )
    op.create_index("inbox_event_timestamp_handled_idx", "inbox_event", ["timestamp_handled"])


def _indexes() -> None:
    # Two rows of one key, or two versions of one name, stop it here: which of them counts, the bank decides.
    op.create_index(
        "pa_app_config_app_key_uk", "pa_application_config", ["application_id", "config_key"], unique=True
    )
    op.create_index(
        "pa_application_version_name_uk", "pa_application_version", ["application_id", "name"], unique=True
    )
    op.create_index("pa_operation_external_id_idx", "pa_operation", ["external_id"])
    op.create_index(
        "pa_operation_user_status_idx", "pa_operation", ["user_id", "status", "timestamp_created"]
    )
    op.create_index("pa_operation_user_created_idx", "pa_operation", ["user_id", "timestamp_created"])
    op.create_index("pa_operation_application_operation_idx", "pa_operation_application", ["operation_id"])


def _has_column(table: str, column: str) -> bool:
    return any(found["name"] == column for found in sa.inspect(op.get_bind()).get_columns(table))
