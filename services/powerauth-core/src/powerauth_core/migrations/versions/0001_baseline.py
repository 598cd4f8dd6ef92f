"""The original's schema of release 1.9, to the letter (spec/core-api.md §25).

An existing database is stamped with this revision; a new one starts here.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateSequence

revision = "0001_baseline"
down_revision = None
branch_labels = None
depends_on = None

LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")
TS0 = sa.DateTime()

SEQUENCES = {
    "pa_application_seq": 1,
    "pa_application_version_seq": 1,
    "pa_master_keypair_seq": 1,
    "pa_signature_audit_seq": 1,
    "pa_activation_history_seq": 1,
    "pa_recovery_code_seq": 1,
    "pa_recovery_puk_seq": 1,
    "pa_recovery_config_seq": 1,
    "pa_operation_template_seq": 1,
    "pa_app_conf_seq": 1,
    "pa_app_callback_event_seq": 50,
}


def upgrade() -> None:
    """Create everything."""
    if op.get_bind().dialect.name == "postgresql":
        for name, increment in SEQUENCES.items():
            op.execute(CreateSequence(sa.Sequence(name, start=1, increment=increment, cache=20)))
    _applications()
    _activations()
    _signatures_tokens_keys()
    _callers_and_callbacks()
    _operations()
    _recovery()
    _others()
    _audit()


def _table(name: str, *items: sa.schema.SchemaItem) -> None:
    op.create_table(name, *items)


def _id(type_: sa.types.TypeEngine[int]) -> sa.Column[int]:
    return sa.Column("id", type_, primary_key=True, autoincrement=False)


def _v(name: str, length: int, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), **options)


def _required(name: str, type_: sa.types.TypeEngine[Any], default: str | None = None) -> sa.Column[Any]:
    return sa.Column(
        name, type_, nullable=False, server_default=None if default is None else sa.text(default)
    )


def _fk(name: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=name)


def _index(name: str, table: str, columns: Sequence[str], *, unique: bool = False) -> None:
    op.create_index(name, table, list(columns), unique=unique)


def _applications() -> None:
    _table(
        "pa_application",
        _id(sa.Integer()),
        _v("name", 255, nullable=False),
        _v("roles", 255),
    )
    _index("pa_application_name", "pa_application", ["name"], unique=True)
    _table(
        "pa_application_version",
        _id(sa.Integer()),
        _required("application_id", sa.Integer()),
        _v("application_key", 255),
        _v("application_secret", 255),
        _v("name", 255),
        sa.Column("supported", sa.Boolean()),
        _fk("version_application_fk", "application_id", "pa_application.id"),
    )
    _index("pa_application_version_app", "pa_application_version", ["application_id"])
    _index("pa_app_version_app_key", "pa_application_version", ["application_key"], unique=True)
    _table(
        "pa_master_keypair",
        _id(sa.Integer()),
        _required("application_id", sa.Integer()),
        _v("master_key_private_base64", 255, nullable=False),
        _v("master_key_public_base64", 255, nullable=False),
        _v("name", 255),
        _required("timestamp_created", TS),
        _fk("keypair_application_fk", "application_id", "pa_application.id"),
    )
    _index("pa_master_keypair_application", "pa_master_keypair", ["application_id"])
    _table(
        "pa_application_config",
        _id(sa.Integer()),
        _required("application_id", sa.Integer()),
        _v("config_key", 255, nullable=False),
        sa.Column("config_values", sa.Text()),
        _required("encryption_mode", sa.String(255), "'NO_ENCRYPTION'"),
        _fk("pa_app_config_app_fk", "application_id", "pa_application.id"),
    )
    _index("pa_app_config_key_idx", "pa_application_config", ["config_key"])


def _activations() -> None:
    _table(
        "pa_activation",
        _v("activation_id", 37, primary_key=True),
        _required("application_id", sa.Integer()),
        _v("user_id", 255, nullable=False),
        _v("activation_name", 255),
        _v("activation_code", 255),
        _required("activation_status", sa.Integer()),
        _v("activation_otp", 255),
        _required("activation_otp_validation", sa.Integer(), "0"),
        _v("blocked_reason", 255),
        _required("counter", sa.Integer()),
        _v("ctr_data", 255),
        _v("device_public_key_base64", 255),
        _v("extras", 4000),
        _v("platform", 255),
        _v("device_info", 255),
        _required("failed_attempts", sa.Integer()),
        _required("max_failed_attempts", sa.Integer(), "5"),
        _v("server_private_key_base64", 255, nullable=False),
        _required("server_private_key_encryption", sa.Integer(), "0"),
        _v("server_public_key_base64", 255, nullable=False),
        _required("timestamp_activation_expire", TS),
        _required("timestamp_created", TS),
        _required("timestamp_last_used", TS),
        sa.Column("timestamp_last_change", TS),
        sa.Column("master_keypair_id", sa.Integer()),
        sa.Column("version", sa.Integer(), server_default=sa.text("2")),
        _v("external_id", 255),
        _required("protocol", sa.String(32), "'powerauth'"),
        sa.Column("commit_phase", sa.Integer(), server_default=sa.text("0")),
        _v("flags", 255),
        _fk("activation_keypair_fk", "master_keypair_id", "pa_master_keypair.id"),
        _fk("activation_application_fk", "application_id", "pa_application.id"),
    )
    _index("pa_activation_application", "pa_activation", ["application_id"])
    _index("pa_activation_keypair", "pa_activation", ["master_keypair_id"])
    _index("pa_activation_code", "pa_activation", ["activation_code"])
    _index("pa_activation_user_id", "pa_activation", ["user_id"])
    _index("pa_activation_expiration", "pa_activation", ["activation_status", "timestamp_activation_expire"])
    _table(
        "pa_activation_history",
        _id(LONG),
        _v("activation_id", 37, nullable=False),
        sa.Column("activation_status", sa.Integer()),
        _v("event_reason", 255),
        _v("external_user_id", 255),
        _required("timestamp_created", TS),
        sa.Column("activation_version", sa.Integer()),
        _v("activation_name", 255),
        _fk("history_activation_fk", "activation_id", "pa_activation.activation_id"),
    )
    _index("pa_activation_history_act", "pa_activation_history", ["activation_id"])
    _index("pa_activation_history_created", "pa_activation_history", ["timestamp_created"])


def _signatures_tokens_keys() -> None:
    _table(
        "pa_signature_audit",
        _id(LONG),
        _v("activation_id", 37, nullable=False),
        _required("activation_counter", sa.Integer()),
        _v("activation_ctr_data", 255),
        sa.Column("activation_status", sa.Integer()),
        _v("additional_info", 255),
        sa.Column("data_base64", sa.Text()),
        _v("note", 255),
        _v("signature_type", 255, nullable=False),
        _v("signature", 255, nullable=False),
        _required("timestamp_created", TS),
        sa.Column("valid", sa.Boolean()),
        sa.Column("version", sa.Integer(), server_default=sa.text("2")),
        _v("signature_version", 255),
        sa.Column("signature_data_body", sa.Text()),
        sa.Column("signature_metadata", sa.Text()),
        _fk("audit_activation_fk", "activation_id", "pa_activation.activation_id"),
    )
    _index("pa_signature_audit_activation", "pa_signature_audit", ["activation_id"])
    _index("pa_signature_audit_created", "pa_signature_audit", ["timestamp_created"])
    _table(
        "pa_token",
        _v("token_id", 37, primary_key=True),
        _v("token_secret", 255, nullable=False),
        _v("activation_id", 37, nullable=False),
        _v("signature_type", 255, nullable=False),
        _required("timestamp_created", TS),
        _fk("activation_token_fk", "activation_id", "pa_activation.activation_id"),
    )
    _index("pa_token_activation", "pa_token", ["activation_id"])
    _table(
        "pa_temporary_key",
        _v("id", 37, primary_key=True),
        _v("application_key", 32, nullable=False),
        _v("activation_id", 37),
        _required("private_key_encryption", sa.Integer(), "0"),
        _v("private_key_base64", 255, nullable=False),
        _v("public_key_base64", 255, nullable=False),
        _required("timestamp_expires", TS0),
        _fk("pa_temporary_activation_id_fk", "activation_id", "pa_activation.activation_id"),
    )
    _index("pa_temporary_key_ts_key_idx", "pa_temporary_key", ["timestamp_expires"])
    _table(
        "pa_unique_value",
        _v("unique_value", 255, primary_key=True),
        _required("type", sa.Integer()),
        _required("timestamp_expires", TS0),
    )
    _index("pa_unique_value_expiration", "pa_unique_value", ["timestamp_expires"])


def _callers_and_callbacks() -> None:
    _table(
        "pa_integration",
        _v("id", 37, primary_key=True),
        _v("name", 255),
        _v("client_token", 37, nullable=False),
        _v("client_secret", 37, nullable=False),
    )
    _index("pa_integration_token", "pa_integration", ["client_token"], unique=True)
    _table(
        "pa_application_callback",
        _v("id", 37, primary_key=True),
        _required("application_id", sa.Integer()),
        _v("name", 255),
        _v("callback_url", 1024),
        _required("type", sa.String(64), "'ACTIVATION_STATUS_CHANGE'"),
        _v("attributes", 1024),
        sa.Column("authentication", sa.Text()),
        _required("encryption_mode", sa.String(255), "'NO_ENCRYPTION'"),
        sa.Column("max_attempts", sa.Integer()),
        _v("initial_backoff", 64),
        _v("retention_period", 64),
        sa.Column("enabled", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("timestamp_created", TS, nullable=False, server_default=sa.func.now()),
        sa.Column("timestamp_last_updated", TS),
        _fk("callback_application_fk", "application_id", "pa_application.id"),
    )
    _index("pa_app_callback_app", "pa_application_callback", ["application_id"])
    _table(
        "pa_application_callback_event",
        _id(LONG),
        _v("application_callback_id", 37, nullable=False),
        _required("callback_data", sa.Text()),
        _v("status", 32, nullable=False),
        sa.Column("timestamp_created", TS, nullable=False, server_default=sa.func.now()),
        sa.Column("timestamp_last_call", TS),
        sa.Column("timestamp_next_call", TS),
        sa.Column("timestamp_delete_after", TS),
        sa.Column("timestamp_rerun_after", TS),
        _required("attempts", sa.Integer(), "0"),
        _v("idempotency_key", 36, nullable=False),
    )
    _index("pa_app_cb_event_status_idx", "pa_application_callback_event", ["status"])
    _index("pa_app_cb_event_ts_del_idx", "pa_application_callback_event", ["timestamp_delete_after"])


def _operations() -> None:
    _table(
        "pa_operation",
        _v("id", 37, primary_key=True),
        _v("user_id", 255),
        _v("external_id", 255),
        _v("activation_flag", 255),
        _v("operation_type", 255, nullable=False),
        _v("template_name", 255),
        _required("data", sa.Text()),
        sa.Column("parameters", sa.Text()),
        sa.Column("additional_data", sa.Text()),
        _required("status", sa.Integer()),
        _v("signature_type", 255, nullable=False),
        _required("failure_count", sa.BigInteger(), "0"),
        _required("max_failure_count", sa.BigInteger()),
        _required("timestamp_created", TS0),
        _required("timestamp_expires", TS0),
        sa.Column("timestamp_finalized", TS0),
        _v("risk_flags", 255),
        _v("totp_seed", 24),
        _v("activation_id", 37),
        _v("status_reason", 32),
        _fk("pa_operation_activation_id_fk", "activation_id", "pa_activation.activation_id"),
    )
    _index("pa_operation_user", "pa_operation", ["user_id"])
    _index("pa_operation_ts_created_idx", "pa_operation", ["timestamp_created"])
    _index("pa_operation_ts_expires_idx", "pa_operation", ["timestamp_expires"])
    _index("pa_operation_status_exp", "pa_operation", ["status", "timestamp_expires"])
    _table(
        "pa_operation_application",
        sa.Column("application_id", sa.BigInteger(), nullable=False),
        _v("operation_id", 37, nullable=False),
        sa.PrimaryKeyConstraint("application_id", "operation_id", name="pa_operation_application_pk"),
        _fk("pa_operation_application_application_id_fk", "application_id", "pa_application.id"),
        _fk("pa_operation_application_operation_id_fk", "operation_id", "pa_operation.id"),
    )
    _table(
        "pa_operation_template",
        _id(LONG),
        _v("template_name", 255, nullable=False),
        _v("operation_type", 255, nullable=False),
        _v("data_template", 255, nullable=False),
        _v("signature_type", 255, nullable=False),
        _required("max_failure_count", sa.BigInteger()),
        _required("expiration", sa.BigInteger()),
        _v("risk_flags", 255),
        sa.Column("proximity_check_enabled", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.UniqueConstraint("template_name", name="pa_operation_template_template_name_uk"),
    )
    _index("pa_operation_template_name_idx", "pa_operation_template", ["template_name"])


def _recovery() -> None:
    _table(
        "pa_recovery_code",
        _id(LONG),
        _v("recovery_code", 23, nullable=False),
        _required("application_id", sa.Integer()),
        _v("user_id", 255, nullable=False),
        _v("activation_id", 37),
        _required("status", sa.Integer()),
        _required("failed_attempts", sa.Integer(), "0"),
        _required("max_failed_attempts", sa.Integer(), "10"),
        _required("timestamp_created", TS),
        sa.Column("timestamp_last_used", TS),
        sa.Column("timestamp_last_change", TS),
        _fk("recovery_code_application_fk", "application_id", "pa_application.id"),
        _fk("recovery_code_activation_fk", "activation_id", "pa_activation.activation_id"),
    )
    _index("pa_recovery_code_code", "pa_recovery_code", ["recovery_code"])
    _index("pa_recovery_code_app", "pa_recovery_code", ["application_id"])
    _index("pa_recovery_code_user", "pa_recovery_code", ["user_id"])
    _index("pa_recovery_code_act", "pa_recovery_code", ["activation_id"])
    _table(
        "pa_recovery_puk",
        _id(LONG),
        _required("recovery_code_id", sa.BigInteger()),
        _v("puk", 255),
        _required("puk_encryption", sa.Integer(), "0"),
        _required("puk_index", sa.BigInteger()),
        _required("status", sa.Integer()),
        sa.Column("timestamp_last_change", TS),
        _fk("recovery_puk_code_fk", "recovery_code_id", "pa_recovery_code.id"),
    )
    _index("pa_recovery_code_puk", "pa_recovery_puk", ["recovery_code_id", "puk_index"], unique=True)
    _index("pa_recovery_puk_code", "pa_recovery_puk", ["recovery_code_id"])
    _table(
        "pa_recovery_config",
        _id(sa.Integer()),
        _required("application_id", sa.Integer()),
        sa.Column("activation_recovery_enabled", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("recovery_postcard_enabled", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("allow_multiple_recovery_codes", sa.Boolean(), nullable=False, server_default=sa.false()),
        _v("postcard_private_key_base64", 255),
        _v("postcard_public_key_base64", 255),
        _v("remote_public_key_base64", 255),
        _required("postcard_priv_key_encryption", sa.Integer(), "0"),
        _fk("recovery_config_app_fk", "application_id", "pa_application.id"),
    )
    _index("pa_recovery_config_app", "pa_recovery_config", ["application_id"], unique=True)


def _others() -> None:
    _table(
        "pa_fido2_authenticator",
        _v("aaguid", 255, primary_key=True),
        _v("description", 255, nullable=False),
        _v("signature_type", 255, nullable=False),
        _v("transports", 255),
    )
    _table(
        "shedlock",
        _v("name", 64, primary_key=True),
        _required("lock_until", TS0),
        _required("locked_at", TS0),
        _v("locked_by", 255, nullable=False),
    )


def _audit() -> None:
    _table(
        "audit_log",
        _v("audit_log_id", 36, primary_key=True),
        _v("application_name", 256, nullable=False),
        _v("audit_level", 32, nullable=False),
        _v("audit_type", 256),
        sa.Column("timestamp_created", TS0, server_default=sa.func.now()),
        _required("message", sa.Text()),
        sa.Column("exception_message", sa.Text()),
        sa.Column("stack_trace", sa.Text()),
        sa.Column("param", sa.Text()),
        _v("calling_class", 256, nullable=False),
        _v("thread_name", 256, nullable=False),
        _v("version", 256),
        sa.Column("build_time", TS0),
    )
    _index("audit_log_timestamp", "audit_log", ["timestamp_created"])
    _index("audit_log_application", "audit_log", ["application_name"])
    _index("audit_log_level", "audit_log", ["audit_level"])
    _index("audit_log_type", "audit_log", ["audit_type"])
    _table(
        "audit_param",
        _v("audit_log_id", 36),
        sa.Column("timestamp_created", TS0, server_default=sa.func.now()),
        _v("param_key", 256),
        _v("param_value", 4000),
    )
    _index("audit_param_log", "audit_param", ["audit_log_id"])
    _index("audit_param_timestamp", "audit_param", ["timestamp_created"])
    _index("audit_param_key", "audit_param", ["param_key"])
    _index("audit_param_value", "audit_param", ["param_value"])
