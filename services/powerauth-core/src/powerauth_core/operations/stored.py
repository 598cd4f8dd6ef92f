"""Operations as use cases have them in hand, and which of them an activation may see."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from powerauth_contracts.enums import OperationStatus, SignatureType
from powerauth_core.operations.rules import OperationFacts, status_at
from powerauth_core.templates.rules import signature_types


# Values, never changed. Not frozen: that makes them five times as dear.
@dataclass(slots=True)
class OperationRow:
    """The columns of a stored operation (`operations.models.Operation`)."""

    id: str
    user_id: str | None
    external_id: str | None
    activation_flag: str | None
    operation_type: str
    template_name: str | None
    data: str
    parameters: dict[str, str | None] | None
    additional_data: dict[str, Any] | None
    status: OperationStatus
    signature_type: str
    failure_count: int
    max_failure_count: int
    timestamp_created: datetime
    timestamp_expires: datetime
    timestamp_finalized: datetime | None
    risk_flags: str | None
    totp_seed: str | None = field(repr=False)
    activation_id: str | None
    status_reason: str | None
    number_matching: dict[str, Any] | None = None
    number_secret: str | None = field(default=None, repr=False)
    number_secret_encryption: int = 0
    unexpected_action: str | None = None


OPERATION_COLUMNS = tuple([each.name for each in fields(OperationRow)])
CHANGING_COLUMNS = (
    "user_id",
    "additional_data",
    "status",
    "failure_count",
    "timestamp_finalized",
    "status_reason",
)
"""Those that transitions change."""


@dataclass(slots=True)
class StoredOperation:
    """An operation's row and the public ids of its applications in alphabetical order."""

    row: OperationRow
    applications: tuple[str, ...]

    @property
    def id(self) -> str:
        """Id of the operation."""
        return self.row.id

    @property
    def signature_types(self) -> tuple[SignatureType, ...]:
        """The allowed signature types, in the template's order."""
        return signature_types(self.row.signature_type)

    def status_at(self, now: datetime) -> OperationStatus:
        """The state that callers see at this moment."""
        return status_at(self.row.status, self.row.timestamp_expires, now)

    def facts(self) -> OperationFacts:
        """What the rules decide on."""
        row = self.row
        return OperationFacts(
            status=row.status,
            timestamp_expires=row.timestamp_expires,
            user_id=row.user_id,
            applications=frozenset(self.applications),
            activation_id=row.activation_id,
            activation_flag=row.activation_flag,
            data=row.data,
            signature_types=frozenset(self.signature_types),
            failure_count=row.failure_count,
            max_failure_count=row.max_failure_count,
        )


@dataclass(slots=True)
class ShownOperation:
    """What a device may see of an operation, by the names of its columns.

    :ivar number_matching: ``digits`` and ``choices`` of the number that it asks for
    :ivar has_proximity_check: there is a code to scan
    """

    id: str
    operation_type: str
    data: str
    status: OperationStatus
    status_reason: str | None
    parameters: dict[str, str | None] | None
    risk_flags: str | None
    signature_type: str
    timestamp_created: datetime
    timestamp_expires: datetime
    activation_flag: str | None
    number_matching: dict[str, Any] | None
    has_proximity_check: bool


SHOWN_COLUMNS = tuple([each.name for each in fields(ShownOperation)][:-1])


@dataclass(frozen=True, slots=True)
class ActivationFilter:
    """Which operations an activation may see (§19.6).

    :ivar flags: an operation's flag must be among them; None: operations with any flag
    """

    activation_id: str
    flags: tuple[str, ...] | None
