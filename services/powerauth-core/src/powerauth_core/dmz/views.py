"""How a device sees what the core has stored."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from powerauth_contracts import moments
from powerauth_contracts.dmz.models import DoorOperation, ShownNumberMatching
from powerauth_core.operations.rules import status_at
from powerauth_core.operations.stored import SHOWN_COLUMNS, ShownOperation, StoredOperation
from powerauth_core.templates.rules import signature_types
from servicekit import clock


def operation_view(operation: StoredOperation) -> DoorOperation:
    """An operation: whether there is a proximity check, never its code (enrollment-api §11.5)."""
    row = operation.row
    shown = [getattr(row, name) for name in SHOWN_COLUMNS]
    return shown_view(ShownOperation(*[*shown, row.totp_seed is not None]), clock.now())


def shown_view(shown: ShownOperation, now: datetime) -> DoorOperation:
    """The same of what was read for a device alone, as it is at this moment."""
    number = shown.number_matching
    return DoorOperation(
        id=shown.id,
        operation_type=shown.operation_type,
        data=shown.data,
        status=status_at(shown.status, shown.timestamp_expires, now),
        status_reason=shown.status_reason,
        parameters=shown.parameters or {},
        risk_flags=shown.risk_flags,
        signature_type=_shown_types(shown.signature_type),
        timestamp_created=moments.to_ms(shown.timestamp_created),
        timestamp_expires=moments.to_ms(shown.timestamp_expires),
        proximity_check=shown.has_proximity_check,
        activation_flag=shown.activation_flag,
        number_matching=None if number is None else ShownNumberMatching(**number),
    )


@lru_cache(maxsize=256)
def _shown_types(column: str) -> tuple[str, ...]:
    return tuple([kind.value.lower() for kind in signature_types(column)])
