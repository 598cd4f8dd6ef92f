"""The tables of spec/cloud-api.md §16 and the inbox.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import CreateSequence, DropSequence

from servicekit.database import BigIntPk, UtcTimestamp

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

USER_SEQUENCE = sa.Sequence("pa_cloud_user_seq")
LOCALIZATION_SEQUENCE = sa.Sequence("pa_cloud_localization_seq")


def upgrade() -> None:
    """Create everything."""
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    if on_postgresql:
        op.execute(CreateSequence(USER_SEQUENCE))
        op.execute(CreateSequence(LOCALIZATION_SEQUENCE))

    def sequence_id(sequence: sa.Sequence) -> sa.Column[int]:
        # First administrators are inserted by SQL too: the default serves them.
        default = sequence.next_value() if on_postgresql else None
        return sa.Column("id", BigIntPk, primary_key=True, server_default=default)

    _create_users(sequence_id)
    op.create_table(
        "pa_cloud_localization",
        sequence_id(LOCALIZATION_SEQUENCE),
        sa.Column("placeholder", sa.String(255), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.UniqueConstraint("placeholder", "language", name="uq_pa_cloud_localization_placeholder_language"),
    )
    op.create_table(
        "pa_cloud_property",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("value", sa.Text),
    )
    op.create_table(
        "pa_cloud_v1_registration",
        sa.Column("activation_id", sa.String(37), primary_key=True),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("app_id", sa.String(255), nullable=False),
        sa.Column("timestamp_created", UtcTimestamp, nullable=False),
    )
    op.create_index("pa_cloud_v1_registration_user", "pa_cloud_v1_registration", ["user_id", "app_id"])
    _create_audit_log()
    op.create_table(
        "inbox_event",
        sa.Column("event_id", sa.String(37), primary_key=True),
        sa.Column("consumer", sa.String(64), primary_key=True),
        sa.Column("timestamp_handled", UtcTimestamp, nullable=False),
    )
    op.create_index("inbox_event_timestamp_handled_idx", "inbox_event", ["timestamp_handled"])


def _create_users(sequence_id) -> None:  # type: ignore[no-untyped-def]
    op.create_table(
        "pa_cloud_user",
        sequence_id(USER_SEQUENCE),
        sa.Column("username", sa.String(255), nullable=False),
        sa.Column("userpassword", sa.String(255), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
    )
    op.create_index("pa_cloud_user_username_idx", "pa_cloud_user", ["username"], unique=True)
    for table, column in (("pa_cloud_user_authority", "authority"), ("pa_cloud_user_application", "app_id")):
        op.create_table(
            table,
            sequence_id(USER_SEQUENCE),
            sa.Column("user_id", BigIntPk, nullable=False),
            sa.Column(column, sa.String(255), nullable=False),
            sa.UniqueConstraint("user_id", column, name=f"uq_{table}_user_id_{column}"),
            sa.ForeignKeyConstraint(
                ["user_id"], ["pa_cloud_user.id"], name=f"fk_{table}_user_id", ondelete="CASCADE"
            ),
        )


def _create_audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("audit_log_id", sa.String(36), primary_key=True),
        sa.Column("application_name", sa.String(256), nullable=False),
        sa.Column("audit_level", sa.String(32), nullable=False),
        sa.Column("audit_type", sa.String(256)),
        sa.Column("timestamp_created", UtcTimestamp),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("exception_message", sa.Text),
        sa.Column("stack_trace", sa.Text),
        sa.Column("param", sa.Text),
        sa.Column("calling_class", sa.String(256), nullable=False),
        sa.Column("thread_name", sa.String(256), nullable=False),
        sa.Column("version", sa.String(256)),
        sa.Column("build_time", UtcTimestamp),
        sa.Column("subject_id", sa.String(256)),
    )
    for name, column in (
        ("audit_log_timestamp", "timestamp_created"),
        ("audit_log_application", "application_name"),
        ("audit_log_level", "audit_level"),
        ("audit_log_type", "audit_type"),
        ("audit_log_subject_id_idx", "subject_id"),
    ):
        op.create_index(name, "audit_log", [column])


def downgrade() -> None:
    """Drop everything."""
    for table in (
        "inbox_event",
        "audit_log",
        "pa_cloud_v1_registration",
        "pa_cloud_property",
        "pa_cloud_localization",
        "pa_cloud_user_application",
        "pa_cloud_user_authority",
        "pa_cloud_user",
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(DropSequence(LOCALIZATION_SEQUENCE))
        op.execute(DropSequence(USER_SEQUENCE))
