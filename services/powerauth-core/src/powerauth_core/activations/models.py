"""Activations and their history (spec/core-api.md §25)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.orm.attributes import set_committed_value

from powerauth_contracts.enums import (
    ActivationOtpValidation,
    ActivationProtocol,
    ActivationStatus,
    CommitPhase,
)
from powerauth_core.kernel.base import Base, EnumCode, JsonString, JsonText, LongId, Timestamp, sequence_id
from powerauth_core.kernel.errors import IncorrectActivationState
from servicekit.partial_indexes import PartialIndex
from servicekit.row_macs import BoundRow

BLOCKED_AS_UNSOUND = "RECORD_CHANGED"
"""Blocked reason of an activation whose row somebody else has written (D32)."""

OTHER_KEY = "cose:"
"""Beginning of a passkey's key that is none of the curve P-256."""

BOUND_COLUMNS = (
    "activation_id",
    "user_id",
    "application_id",
    "protocol",
    "version",
    "activation_status",
    "device_public_key_base64",
    "server_private_key_base64",
    "server_private_key_encryption",
    "activation_code",
    "activation_otp",
    "activation_otp_validation",
    "commit_phase",
)
"""What the MAC of an activation's row covers: whose it is, its keys, and by whose word a device joins it.
What a generation adds goes to `Activation.LATER_COLUMNS`.
"""

_PASSKEYS = f"protocol = '{ActivationProtocol.FIDO2}'"


class Activation(BoundRow, Base):
    """One activation. ``user_id`` and ``activation_id`` take part in key derivation and never change.

    An unsound one reads as BLOCKED, with its keys out of use, and can only be removed.
    """

    BOUND_COLUMNS = BOUND_COLUMNS

    __tablename__ = "pa_activation"
    __table_args__ = (
        Index("pa_activation_application", "application_id"),
        Index("pa_activation_keypair", "master_keypair_id"),
        Index("pa_activation_code", "activation_code"),
        Index("pa_activation_user_id", "user_id"),
        Index("pa_activation_parent_idx", "parent_activation_id"),
        Index("pa_activation_expiration", "activation_status", "timestamp_activation_expire"),
        PartialIndex("pa_activation_passkey_idx", "application_id", "external_id", where=_PASSKEYS),
    )

    activation_id: Mapped[str] = mapped_column(String(37), primary_key=True)
    """Id of the activation; goes into keys, so it never changes."""
    application_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("pa_application.id", name="activation_application_fk")
    )
    user_id: Mapped[str] = mapped_column(String(255))
    """The bank's id of the user; goes into keys, so it never changes."""
    activation_name: Mapped[str | None] = mapped_column(String(255))
    """Name that the user gave the phone."""
    activation_code: Mapped[str | None] = mapped_column(String(255))
    """Code that it is activated with."""
    activation_status: Mapped[ActivationStatus] = mapped_column(
        EnumCode(ActivationStatus, ActivationStatus.REMOVED)
    )
    """Its state."""
    activation_otp: Mapped[str | None] = mapped_column(String(255))
    """Hash of the code that has to be given too (D28), or empty. **Secret.**"""
    activation_otp_validation: Mapped[ActivationOtpValidation] = mapped_column(
        EnumCode(ActivationOtpValidation, ActivationOtpValidation.NONE),
        default=ActivationOtpValidation.NONE,
        server_default=text("0"),
    )
    """When that code is asked for."""
    blocked_reason: Mapped[str | None] = mapped_column(String(255))
    """Why it is blocked."""
    counter: Mapped[int] = mapped_column(Integer, default=0)
    """Number of signatures, of protocols before 3."""
    ctr_data: Mapped[str | None] = mapped_column(String(255))
    """Base64 of the hash-based counter."""
    device_public_key_base64: Mapped[str | None] = mapped_column(String(1000))
    """Public key of the phone, or of the passkey."""
    extras: Mapped[str | None] = mapped_column(String(4000))
    """Text that the app gave; of a passkey JSON of what is known of it."""
    platform: Mapped[str | None] = mapped_column(String(255))
    """Kind of phone, as the app said."""
    device_info: Mapped[str | None] = mapped_column(String(255))
    """The same in detail."""
    failed_attempts: Mapped[int] = mapped_column(Integer, default=0)
    max_failed_attempts: Mapped[int] = mapped_column(Integer, default=5, server_default=text("5"))
    server_private_key_base64: Mapped[str] = mapped_column(String(255))
    """Private key of the core for it. **Secret.**"""
    server_private_key_encryption: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    server_public_key_base64: Mapped[str] = mapped_column(String(255))
    """Public key to that."""
    timestamp_activation_expire: Mapped[datetime] = mapped_column(Timestamp)
    """Until when it has to be activated and committed."""
    timestamp_created: Mapped[datetime] = mapped_column(Timestamp)
    timestamp_last_used: Mapped[datetime] = mapped_column(Timestamp)
    timestamp_last_change: Mapped[datetime | None] = mapped_column(Timestamp)
    master_keypair_id: Mapped[int | None] = mapped_column(
        Integer, ForeignKey("pa_master_keypair.id", name="activation_keypair_fk")
    )
    """Key pair that signed its code, `pa_master_keypair.id`."""
    # The column's own default is 2; the service always writes NULL first and 3 at key exchange.
    version: Mapped[int | None] = mapped_column(Integer, server_default=text("2"))
    """Generation of the protocol, 3; empty before the key exchange."""
    external_id: Mapped[str | None] = mapped_column(String(1400))
    """Of the original, kept; of a passkey Base64 of its credential id."""
    protocol: Mapped[str] = mapped_column(
        String(32), default=ActivationProtocol.POWERAUTH.value, server_default="powerauth"
    )
    """`powerauth`, or `fido2` for a passkey."""
    commit_phase: Mapped[CommitPhase | None] = mapped_column(
        EnumCode(CommitPhase, CommitPhase.ON_COMMIT), default=CommitPhase.ON_COMMIT, server_default=text("0")
    )
    """When it becomes active."""
    flags: Mapped[list[str] | None] = mapped_column(JsonString(255))
    """JSON array of flags."""
    additional_data: Mapped[dict[str, Any] | None] = mapped_column(JsonText())
    """JSON object that the bank gave."""
    parent_activation_id: Mapped[str | None] = mapped_column(
        String(37), ForeignKey("pa_activation.activation_id", name="activation_parent_fk")
    )
    """The activation that it was made from."""
    transfer_type: Mapped[str | None] = mapped_column(String(32))
    """How it was made from that one."""

    def was_read_unsound(self) -> None:
        """Block it, in memory alone: the row stays as evidence, and can be put right from a backup."""
        set_committed_value(self, "activation_status", status_as_unsound(self.activation_status))
        set_committed_value(self, "blocked_reason", BLOCKED_AS_UNSOUND)

    def is_written_unsound(self) -> None:
        """:raises IncorrectActivationState: it would become usable"""
        if self.activation_status not in (ActivationStatus.BLOCKED, ActivationStatus.REMOVED):
            raise IncorrectActivationState


def status_as_unsound(stored: ActivationStatus) -> ActivationStatus:
    """The state of an unsound activation. BLOCKED and not REMOVED: a phone keeps what it may need again."""
    return stored if stored is ActivationStatus.REMOVED else ActivationStatus.BLOCKED


class ActivationHistory(Base):
    """One status-relevant change of an activation (spec/core-api.md §22.5)."""

    __tablename__ = "pa_activation_history"
    __table_args__ = (
        Index("pa_activation_history_act", "activation_id"),
        Index("pa_activation_history_created", "timestamp_created"),
    )

    id: Mapped[int] = sequence_id("pa_activation_history_seq", LongId)
    activation_id: Mapped[str] = mapped_column(
        String(37), ForeignKey("pa_activation.activation_id", name="history_activation_fk")
    )
    activation_status: Mapped[ActivationStatus | None] = mapped_column(
        EnumCode(ActivationStatus, ActivationStatus.REMOVED)
    )
    """The state that it got."""
    event_reason: Mapped[str | None] = mapped_column(String(255))
    """Why."""
    external_user_id: Mapped[str | None] = mapped_column(String(255))
    """Who did it, as the caller said."""
    timestamp_created: Mapped[datetime] = mapped_column(Timestamp)
    activation_version: Mapped[int | None]
    """Generation of the protocol then."""
    activation_name: Mapped[str | None] = mapped_column(String(255))
    """Name of the phone then."""
