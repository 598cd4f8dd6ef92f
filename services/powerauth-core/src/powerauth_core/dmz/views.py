"""How a device sees what the core has stored."""

from __future__ import annotations

from powerauth_contracts import moments
from powerauth_contracts.dmz.models import DoorOperation
from powerauth_core.operations.stored import StoredOperation
from servicekit import clock


def operation_view(operation: StoredOperation) -> DoorOperation:
    """An operation: whether there is a proximity check, never its code (enrollment-api §11.5)."""
    row = operation.row
    return DoorOperation(
        id=row.id,
        operation_type=row.operation_type,
        data=row.data,
        status=operation.status_at(clock.now()),
        status_reason=row.status_reason,
        parameters=row.parameters or {},
        risk_flags=row.risk_flags,
        signature_type=[kind.value.lower() for kind in operation.signature_types],
        timestamp_created=moments.to_ms(row.timestamp_created),
        timestamp_expires=moments.to_ms(row.timestamp_expires),
        proximity_check=row.totp_seed is not None,
        activation_flag=row.activation_flag,
    )
