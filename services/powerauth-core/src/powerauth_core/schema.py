"""The complete schema: importing this module makes every table known to `Base.metadata`."""

from sqlalchemy import Column, String, Table

from powerauth_core.activations import models as activations
from powerauth_core.applications import models as applications
from powerauth_core.attempts import models as attempts
from powerauth_core.audit import models as audit
from powerauth_core.audit import signatures
from powerauth_core.audit.chain import models as chain
from powerauth_core.binding_tickets import models as binding_tickets
from powerauth_core.callbacks import models as callbacks
from powerauth_core.fido2 import models as fido2
from powerauth_core.fido_metadata import models as fido_metadata
from powerauth_core.fingerprint_records import models as fingerprint_records
from powerauth_core.integrations import models as integrations
from powerauth_core.jwt import models as jwt
from powerauth_core.kernel.base import Base, PlainTimestamp
from powerauth_core.master_key import models as master_key
from powerauth_core.operations import models as operations
from powerauth_core.passkey_records import models as passkey_records
from powerauth_core.passkey_revalidation import models as passkey_revalidation
from powerauth_core.passkey_sessions import models as passkey_sessions
from powerauth_core.recovery import models as recovery
from powerauth_core.replay import models as replay
from powerauth_core.statements import models as dmz
from powerauth_core.templates import models as templates
from powerauth_core.temporary_keys import models as keystore
from powerauth_core.tokens import models as tokens
from servicekit.audit_export.stream import cursor_table
from servicekit.inbox import inbox_table
from servicekit.leases import lease_table
from servicekit.outbox import outbox_table
from servicekit.schema_history import schema_history_table

DOMAINS = (
    activations,
    applications,
    attempts,
    audit,
    binding_tickets,
    callbacks,
    chain,
    dmz,
    fido2,
    fido_metadata,
    fingerprint_records,
    integrations,
    jwt,
    keystore,
    master_key,
    operations,
    passkey_records,
    passkey_sessions,
    passkey_revalidation,
    recovery,
    replay,
    signatures,
    templates,
    tokens,
)

outbox_event = outbox_table(Base.metadata)
inbox_event = inbox_table(Base.metadata)
job_lease = lease_table(Base.metadata)
audit_export_cursor = cursor_table(Base.metadata)
pa_schema_history = schema_history_table(Base.metadata)

# The original's job locks; ours are `job_lease` (spec/core-api.md §30). Kept so that it may return.
shedlock = Table(
    "shedlock",
    Base.metadata,
    Column("name", String(64), primary_key=True, doc="The original's job."),
    Column("lock_until", PlainTimestamp, nullable=False, doc="Until when it is locked."),
    Column("locked_at", PlainTimestamp, nullable=False, doc="Since when."),
    Column("locked_by", String(255), nullable=False, doc="By whom."),
)

metadata = Base.metadata
