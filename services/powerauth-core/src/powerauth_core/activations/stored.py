"""An activation's row outside of a session, as hot statements read and write it; rules judge both alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeAlias

from powerauth_contracts.enums import ActivationOtpValidation, ActivationStatus, CommitPhase
from powerauth_core.activations.models import BOUND_COLUMNS, Activation


# Not frozen, as the entity is not.
@dataclass(slots=True, kw_only=True)
class ActivationRow:
    """The columns of `Activation`, by the same names and with the same values.

    :ivar sound: the row is as this core left it; one that is not reads as BLOCKED at best (D32)
    """

    activation_id: str
    application_id: int
    user_id: str
    activation_name: str | None = None
    activation_code: str | None = field(repr=False)
    activation_status: ActivationStatus
    activation_otp: str | None = field(default=None, repr=False)
    activation_otp_validation: ActivationOtpValidation
    blocked_reason: str | None = None
    counter: int = 0
    ctr_data: str | None = field(default=None, repr=False)
    device_public_key_base64: str | None = None
    extras: str | None = None
    platform: str | None = None
    device_info: str | None = None
    failed_attempts: int = 0
    max_failed_attempts: int
    server_private_key_base64: str = field(repr=False)
    server_private_key_encryption: int
    server_public_key_base64: str
    timestamp_activation_expire: datetime
    timestamp_created: datetime
    timestamp_last_used: datetime
    timestamp_last_change: datetime | None = None
    master_keypair_id: int | None
    version: int | None = None
    external_id: str | None = None
    protocol: str
    commit_phase: CommitPhase | None
    flags: list[str] | None
    additional_data: dict[str, Any] | None
    parent_activation_id: str | None = None
    transfer_type: str | None = None
    row_mac: str | None = None
    sound: bool = True

    def columns(self) -> dict[str, Any]:
        """The values by their columns."""
        return {name: getattr(self, name) for name in COLUMNS}


COLUMNS = tuple([each.name for each in fields(ActivationRow)][:-1])

bound_content: Callable[[Sequence[Any]], tuple[Any, ...]] = itemgetter(
    *[COLUMNS.index(name) for name in BOUND_COLUMNS]
)
"""What the MAC covers, out of `COLUMNS` as the database holds them; what a generation adds belongs here."""

AnyActivation: TypeAlias = Activation | ActivationRow
"""In a session, or outside of one."""


@dataclass(slots=True)
class FoundActivation:
    """A row as it was read, without a lock.

    :ivar application_id: public id of its application
    :ivar row_version: tells whether the row is still the same
    """

    row: ActivationRow
    application_id: str
    row_version: int
