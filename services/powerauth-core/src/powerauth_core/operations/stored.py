"""Operations as use cases have them in hand, and which of them an activation may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from powerauth_contracts.enums import OperationStatus, SignatureType
from powerauth_core.operations.models import Operation
from powerauth_core.operations.rules import OperationFacts, status_at
from powerauth_core.templates.rules import signature_types


@dataclass(frozen=True, slots=True)
class StoredOperation:
    """An operation's row and the public ids of its applications in alphabetical order."""

    row: Operation
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


@dataclass(frozen=True, slots=True)
class ActivationFilter:
    """Which operations an activation may see (§19.6).

    :ivar flags: an operation's flag must be among them; None: operations with any flag
    """

    activation_id: str
    flags: tuple[str, ...] | None
