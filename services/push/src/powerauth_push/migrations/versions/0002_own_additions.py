"""What this implementation adds to the original's schema.

Secrets at rest and rows that nobody else may write (D5, D32), callers with scopes (D23), tokens of any length
looked up by their digest, the queue of messages, resumable campaigns, used statements (D1 rule 5), and the
uniqueness that the original leaves to chance.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateSequence, Sequence

revision = "0002_own_additions"
down_revision = "0001_baseline"
branch_labels = None
depends_on = None

LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")
DEVICES = "push_device_registration"
NUMBERED_BY = {
    "push_app_credentials": "push_credentials_seq",
    "push_device_registration": "push_device_registration_seq",
    "push_message": "push_message_seq",
    "push_campaign": "push_campaign_seq",
    "push_campaign_user": "push_campaign_user_seq",
    "push_inbox": "push_inbox_seq",
}


def upgrade() -> None:
    """Add our columns, tables and indexes."""
    _credentials()
    _devices()
    _messages()
    _campaigns()
    _inbox()
    _events_and_jobs()
    if op.get_bind().dialect.name == "postgresql":
        for table, sequence in NUMBERED_BY.items():
            op.alter_column(table, "id", server_default=sa.text(f"nextval('{sequence}')"))


def _credentials() -> None:
    with op.batch_alter_table("push_app_credentials") as table:
        for secret in ("apns_private_key", "fcm_private_key", "hms_client_secret"):
            table.add_column(
                sa.Column(f"{secret}_encryption", sa.Integer, nullable=False, server_default=sa.text("0"))
            )
        table.add_column(sa.Column("row_mac", sa.String(64)))
        table.alter_column("hms_client_secret", type_=sa.Text, existing_type=sa.String(255))
        table.alter_column("timestamp_created", type_=TS, existing_type=sa.DateTime)
        table.alter_column("timestamp_last_updated", type_=TS, existing_type=sa.DateTime)
    op.create_table(
        "push_integration",
        sa.Column("id", sa.String(37), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("client_token", sa.String(37), nullable=False, unique=True),
        sa.Column("client_secret", sa.String(255), nullable=False),
        sa.Column("scopes", sa.String(255), nullable=False),
        sa.Column("timestamp_created", TS, nullable=False),
        sa.Column("row_mac", sa.String(64)),
    )
    op.create_table(
        "push_statement_use",
        sa.Column("statement_id", sa.String(64), primary_key=True),
        sa.Column("call", sa.String(64), primary_key=True),
        sa.Column("timestamp_expires", TS, nullable=False),
    )
    op.create_index("push_statement_use_expires", "push_statement_use", ["timestamp_expires"])


def _devices() -> None:
    found = sa.inspect(op.get_bind())
    for index in found.get_indexes(DEVICES):
        # A token can be longer than what an index of PostgreSQL holds.
        if "push_token" in index["column_names"]:
            op.drop_index(str(index["name"]), DEVICES)
    op.add_column(DEVICES, sa.Column("push_token_digest", sa.String(64)))
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"UPDATE {DEVICES}"  # noqa: S608 - a constant
            " SET push_token_digest = encode(sha256(convert_to(push_token, 'UTF8')), 'hex'),"
            " is_active = coalesce(is_active, false)"
        )
    with op.batch_alter_table(DEVICES) as table:
        table.alter_column("push_token", type_=sa.Text, existing_type=sa.String(255))
        table.alter_column("push_token_digest", nullable=False, existing_type=sa.String(64))
        table.alter_column("is_active", nullable=False, server_default=sa.false(), existing_type=sa.Boolean())
    op.create_index("push_device_app_digest", DEVICES, ["app_id", "push_token_digest"])


def _messages() -> None:
    with op.batch_alter_table("push_message") as table:
        table.alter_column("message_body", type_=sa.Text, existing_type=sa.String(2048))
    op.create_index("push_message_created", "push_message", ["timestamp_created"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(CreateSequence(Sequence("push_delivery_seq", start=1, increment=1)))
    op.create_table(
        "push_delivery",
        sa.Column("id", LONG, primary_key=True),
        sa.Column("delivery_key", sa.String(36), nullable=False),
        sa.Column("provider", sa.String(8), nullable=False),
        sa.Column("app_id", sa.Integer, nullable=False),
        sa.Column("device_registration_id", sa.Integer, nullable=False),
        sa.Column("activation_id", sa.String(37)),
        sa.Column("message_id", sa.Integer),
        sa.Column("campaign_id", sa.Integer),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease_owner", sa.String(32)),
        sa.Column("timestamp_due", TS, nullable=False),
        sa.Column("timestamp_created", TS, nullable=False),
    )
    op.create_index("push_delivery_due", "push_delivery", ["provider", "timestamp_due"])
    op.create_index("push_delivery_campaign", "push_delivery", ["campaign_id"])


def _campaigns() -> None:
    op.execute(
        "DELETE FROM push_campaign_user WHERE id NOT IN"
        " (SELECT min(id) FROM push_campaign_user GROUP BY campaign_id, user_id)"
    )
    op.drop_index("push_campaign_user_campaign", "push_campaign_user", if_exists=True)
    op.create_index("push_campaign_user_once", "push_campaign_user", ["campaign_id", "user_id"], unique=True)
    with op.batch_alter_table("push_campaign") as table:
        table.add_column(sa.Column("state", sa.String(16), nullable=False, server_default="CREATED"))
        for name in ("last_registration_id", "sent_count", "failed_count", "queued_count"):
            table.add_column(sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0")))
        table.add_column(sa.Column("highest_registration_id", sa.Integer))
    op.execute("UPDATE push_campaign SET state = 'COMPLETED' WHERE is_sent")
    op.create_index("push_campaign_state", "push_campaign", ["state"])


def _inbox() -> None:
    with op.batch_alter_table("push_inbox") as table:
        table.alter_column("timestamp_created", type_=TS, existing_type=sa.DateTime)
        table.alter_column("timestamp_read", type_=TS, existing_type=sa.DateTime)
    op.drop_index("push_inbox_id", "push_inbox", if_exists=True)
    op.create_index("push_inbox_public_id", "push_inbox", ["inbox_id"], unique=True)
    op.create_index("push_inbox_user_created", "push_inbox", ["user_id", "timestamp_created", "id"])
    op.create_index("push_inbox_app_inbox", "push_inbox_app", ["inbox_id"])


def _events_and_jobs() -> None:
    op.create_table(
        "inbox_event",
        sa.Column("event_id", sa.String(37), primary_key=True),
        sa.Column("consumer", sa.String(64), primary_key=True),
        sa.Column("timestamp_handled", TS, nullable=False),
    )
    op.create_index("inbox_event_timestamp_handled_idx", "inbox_event", ["timestamp_handled"])
    op.create_table(
        "job_lease",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("valid_until", TS, nullable=False),
    )
    op.create_table(
        "pa_schema_history",
        sa.Column("revision", sa.String(64), primary_key=True),
        sa.Column("minimum_release", sa.String(32)),
        sa.Column("timestamp_applied", TS, nullable=False),
    )
