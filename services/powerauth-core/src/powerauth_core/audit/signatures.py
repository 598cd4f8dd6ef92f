"""The signature audit (spec/core-api.md §9.2, §25; D12)."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_contracts.enums import ActivationStatus, AuditLevel
from powerauth_core import __version__
from powerauth_core.audit.rules import AuditType
from powerauth_core.audit.service import APPLICATION_NAME
from powerauth_core.kernel.base import Base, EnumCode, LongId, Timestamp, sequence_id
from servicekit.partial_indexes import PartialIndex


class SignatureAudit(Base):
    """One verified or refused signature.

    Rows of ours hold the signed data without the application secret and name the application version
    (``application_version_id``), so that the secret can be appended on output. Adopted rows hold the secret
    inside ``data_base64`` and have no version. ``chain_…`` bind a row to the one before it (docs/audit.md).
    """

    __tablename__ = "pa_signature_audit"
    __table_args__ = (
        Index("pa_signature_audit_activation", "activation_id"),
        Index("pa_signature_audit_created", "timestamp_created"),
        # Rows of the original are many and have no chain.
        PartialIndex("pa_signature_audit_chain", "chain_id", "chain_position", where="chain_id IS NOT NULL"),
    )

    id: Mapped[int] = sequence_id("pa_signature_audit_seq", LongId)
    activation_id: Mapped[str] = mapped_column(
        String(37), ForeignKey("pa_activation.activation_id", name="audit_activation_fk")
    )
    activation_counter: Mapped[int] = mapped_column(Integer)
    """The activation's number of attempts then, of protocols before 3."""
    activation_ctr_data: Mapped[str | None] = mapped_column(String(255))
    """Base64 of its counter before the check."""
    activation_status: Mapped[ActivationStatus | None] = mapped_column(
        EnumCode(ActivationStatus, ActivationStatus.REMOVED)
    )
    """Its state before the check."""
    additional_info: Mapped[str | None] = mapped_column(String(255))
    """JSON: reasons, attempts that were left, and others."""
    data_base64: Mapped[str | None] = mapped_column(Text)
    """What was signed."""
    note: Mapped[str | None] = mapped_column(String(255))
    """Why it was refused, or what else happened."""
    signature_type: Mapped[str] = mapped_column(String(255))
    signature: Mapped[str] = mapped_column(String(255))
    """The code that came."""
    timestamp_created: Mapped[datetime] = mapped_column(Timestamp)
    valid: Mapped[bool | None]
    """Whether it was right."""
    version: Mapped[int | None] = mapped_column(Integer, server_default=text("2"))
    """Generation of the protocol, 3."""
    signature_version: Mapped[str | None] = mapped_column(String(255))
    """Version of the protocol that signed."""
    signature_data_body: Mapped[str | None] = mapped_column(Text)
    """Body of the request, where it is told."""
    signature_metadata: Mapped[str | None] = mapped_column(Text)
    """JSON: method and URI identifier of the request, where they are told."""
    application_version_id: Mapped[int | None] = mapped_column(Integer)
    """Version of the application, `pa_application_version.id`."""
    chain_id: Mapped[str | None] = mapped_column(String(16))
    """Chain that the row is in."""
    chain_position: Mapped[int | None] = mapped_column(BigInteger)
    """Its place there."""
    chain_mac: Mapped[bytes | None] = mapped_column(LargeBinary)
    """MAC over the row and the one before it."""


AUDIT_COLUMNS = {
    "activation_id": "varchar",
    "activation_counter": "int",
    "activation_ctr_data": "varchar",
    "activation_status": "int",
    "additional_info": "varchar",
    "data_base64": "text",
    "note": "varchar",
    "signature_type": "varchar",
    "signature": "varchar",
    "timestamp_created": "timestamp",
    "valid": "bool",
    "version": "int",
    "signature_version": "varchar",
    "signature_data_body": "text",
    "signature_metadata": "text",
    "application_version_id": "int",
}
"""Columns of the signature audit in the order of `AuditRecord.signature`, with their types.

Their order is part of what every row's MAC covers (`audit.chain.keys`): it never changes, columns are added
at the end and then only for new chains.
"""

CHAIN_COLUMNS = {"chain_id": "varchar", "chain_position": "bigint", "chain_mac": "bytea"}
"""Its columns that tell the place of a row, in the order of `Chained.places`."""

LOG_CONSTANTS = {
    "application_name": APPLICATION_NAME,
    "audit_level": AuditLevel.INFO.value,
    "audit_type": AuditType.SIGNATURE.value,
    "calling_class": __name__,
    "thread_name": __name__,
    "version": __version__,
}
"""Columns of the general audit log that are the same for every check."""

LOG_COLUMNS = {
    "audit_log_id": "varchar",
    "timestamp_created": "timestamp",
    "message": "text",
    "param": "text",
    "subject_id": "varchar",
}
"""Its other columns in the order of `AuditRecord.general`, with their types."""
