"""Operations (spec/core-api.md §19, §25)."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_contracts.enums import OperationStatus
from powerauth_core.activations.models import Activation
from powerauth_core.kernel.base import Base, EnumCode, JsonString, JsonText, JsonTexts, PlainTimestamp


class Operation(Base):
    """One operation. ``signature_type`` is comma-joined lower-case text."""

    __tablename__ = "pa_operation"
    __table_args__ = (
        Index("pa_operation_user", "user_id"),
        Index("pa_operation_ts_created_idx", "timestamp_created"),
        Index("pa_operation_ts_expires_idx", "timestamp_expires"),
        Index("pa_operation_status_exp", "status", "timestamp_expires"),
        Index("pa_operation_external_id_idx", "external_id"),
        # The mobile app's list of pending operations: one probe however many the user ever had.
        Index("pa_operation_user_status_idx", "user_id", "status", "timestamp_created"),
        Index("pa_operation_user_created_idx", "user_id", "timestamp_created"),
    )

    id: Mapped[str] = mapped_column(String(37), primary_key=True)
    user_id: Mapped[str | None] = mapped_column(String(255))
    """The bank's id of the owner; empty: whoever claims it."""
    external_id: Mapped[str | None] = mapped_column(String(255))
    """Id of the bank's."""
    activation_flag: Mapped[str | None] = mapped_column(String(255))
    """Flag that an activation needs to approve it."""
    operation_type: Mapped[str] = mapped_column(String(255))
    """Its type, which texts are found by."""
    template_name: Mapped[str | None] = mapped_column(String(255))
    """The template that it was made from."""
    data: Mapped[str] = mapped_column(Text)
    """What is signed."""
    parameters: Mapped[dict[str, str | None] | None] = mapped_column(JsonTexts())
    """JSON object of the template's parameters."""
    additional_data: Mapped[dict[str, Any] | None] = mapped_column(JsonText())
    """JSON object of what else is known, from the bank and from the approval."""
    status: Mapped[OperationStatus] = mapped_column(EnumCode(OperationStatus))
    """Its state."""
    signature_type: Mapped[str] = mapped_column(String(255))
    failure_count: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    """Failed approvals."""
    max_failure_count: Mapped[int] = mapped_column(BigInteger)
    """How many of them end it."""
    timestamp_created: Mapped[datetime] = mapped_column(PlainTimestamp)
    timestamp_expires: Mapped[datetime] = mapped_column(PlainTimestamp)
    timestamp_finalized: Mapped[datetime | None] = mapped_column(PlainTimestamp)
    """When it ended."""
    risk_flags: Mapped[str | None] = mapped_column(String(255))
    """Letters that the bank gave for its risk."""
    totp_seed: Mapped[str | None] = mapped_column(String(24))
    """Base64 of the seed of its proximity check. **Secret.**"""
    activation_id: Mapped[str | None] = mapped_column(
        String(37), ForeignKey(Activation.activation_id, name="pa_operation_activation_id_fk")
    )
    """The one activation that may approve it, or that did."""
    status_reason: Mapped[str | None] = mapped_column(String(32))
    """Why it ended so."""
    number_matching: Mapped[dict[str, Any] | None] = mapped_column(JsonString(255))
    """JSON: the numbers that are shown."""
    number_secret: Mapped[str | None] = mapped_column(String(255))
    """The number to find. **Secret.**"""
    number_secret_encryption: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    unexpected_action: Mapped[str | None] = mapped_column(String(16))
    """What happens when a user says that it is not his."""


class OperationApplication(Base):
    """Which applications may see an operation."""

    __tablename__ = "pa_operation_application"
    __table_args__ = (Index("pa_operation_application_operation_idx", "operation_id"),)

    application_id: Mapped[int] = mapped_column(
        BigInteger,
        ForeignKey("pa_application.id", name="pa_operation_application_application_id_fk"),
        primary_key=True,
        autoincrement=False,
    )
    operation_id: Mapped[str] = mapped_column(
        String(37),
        ForeignKey(Operation.id, name="pa_operation_application_operation_id_fk"),
        primary_key=True,
    )
    """The operation."""


class OperationUser(Base):
    """Users whose operations are limited; ``version`` moves on with each that was made under a limit."""

    __tablename__ = "operation_user"

    user_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    """Number of operations that were made under a limit."""
