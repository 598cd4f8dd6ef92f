"""The original's schema, release 1.10 (spec/push-api.md §19), without the tables of its batch framework."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateSequence, Sequence

revision = "0001_baseline"
down_revision = None
branch_labels = None
depends_on = None

TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")
SEQUENCES = (
    "push_credentials_seq",
    "push_device_registration_seq",
    "push_message_seq",
    "push_campaign_seq",
    "push_campaign_user_seq",
    "push_inbox_seq",
)


def upgrade() -> None:
    """Create the tables."""
    if op.get_bind().dialect.name == "postgresql":
        for name in SEQUENCES:
            op.execute(CreateSequence(Sequence(name, start=1, increment=1)))
    _credentials()
    _devices()
    _messages()
    _campaigns()
    _inbox()


def _text(name: str, length: int = 255) -> sa.Column[str]:
    return sa.Column(name, sa.String(length))


def _credentials() -> None:
    op.create_table(
        "push_app_credentials",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("app_id", sa.String(255), nullable=False),
        sa.Column("apns_private_key", sa.LargeBinary),
        *map(_text, ("apns_team_id", "apns_key_id", "apns_bundle", "apns_environment")),
        sa.Column("fcm_private_key", sa.LargeBinary),
        *map(_text, ("fcm_project_id", "hms_project_id", "hms_client_id", "hms_client_secret")),
        sa.Column("timestamp_created", sa.DateTime, nullable=False, server_default=sa.func.now()),
        sa.Column("timestamp_last_updated", sa.DateTime),
        sa.Column("ios_private_key", sa.LargeBinary),
        *map(_text, ("ios_team_id", "ios_key_id", "ios_bundle")),
        _text("ios_environment", 32),
        sa.Column("android_private_key", sa.LargeBinary),
        _text("android_project_id"),
    )
    op.create_index("push_app_cred_app", "push_app_credentials", ["app_id"], unique=True)


def _devices() -> None:
    op.create_table(
        "push_device_registration",
        sa.Column("id", sa.Integer, primary_key=True),
        _text("activation_id", 37),
        _text("user_id"),
        sa.Column("app_id", sa.Integer, nullable=False),
        sa.Column("platform", sa.String(255), nullable=False),
        sa.Column("push_token", sa.String(255), nullable=False),
        _text("environment"),
        sa.Column("timestamp_last_registered", TS, nullable=False),
        sa.Column("is_active", sa.Boolean),
    )
    table = "push_device_registration"
    op.create_index("push_device_activation", table, ["activation_id"], unique=True)
    op.create_index("push_device_activation_token", table, ["activation_id", "push_token"], unique=True)
    op.create_index("push_device_app_token", table, ["app_id", "push_token"])
    op.create_index("push_device_user_app", table, ["user_id", "app_id"])


def _messages() -> None:
    op.create_table(
        "push_message",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("device_registration_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        _text("activation_id", 37),
        sa.Column("is_silent", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("is_personal", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("message_body", sa.String(2048), nullable=False),
        sa.Column("timestamp_created", TS, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
    )
    op.create_index("push_message_status", "push_message", ["status"])


def _campaigns() -> None:
    op.create_table(
        "push_campaign",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("app_id", sa.Integer, nullable=False),
        sa.Column("message", sa.String(4000), nullable=False),
        sa.Column("is_sent", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("timestamp_created", TS, nullable=False),
        sa.Column("timestamp_sent", TS),
        sa.Column("timestamp_completed", TS),
    )
    op.create_index("push_campaign_sent", "push_campaign", ["is_sent"])
    op.create_table(
        "push_campaign_user",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("campaign_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("timestamp_created", TS, nullable=False),
    )
    op.create_index("push_campaign_user_campaign", "push_campaign_user", ["campaign_id", "user_id"])
    op.create_index("push_campaign_user_detail", "push_campaign_user", ["user_id"])


def _inbox() -> None:
    op.create_table(
        "push_inbox",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("inbox_id", sa.String(37), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("message_type", sa.String(32), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("is_read", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("timestamp_created", sa.DateTime, nullable=False),
        sa.Column("timestamp_read", sa.DateTime),
    )
    op.create_index("push_inbox_id", "push_inbox", ["inbox_id"])
    op.create_index("push_inbox_user", "push_inbox", ["user_id"])
    op.create_index("push_inbox_user_read", "push_inbox", ["user_id", "is_read"])
    op.create_table(
        "push_inbox_app",
        sa.Column("app_credentials_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("inbox_id", sa.Integer, primary_key=True, autoincrement=False),
    )
