"""How operations look to callers inside the network (spec/core-api.md §19.1)."""

from __future__ import annotations

from powerauth_contracts.declared import made
from powerauth_contracts.rest.operations import OperationDetailResponse
from powerauth_core.operations import number_matching, proximity
from powerauth_core.operations.ports import Ports
from powerauth_core.operations.stored import StoredOperation
from powerauth_core.operations.user_agent import with_device
from servicekit import clock


def shown_code(ports: Ports, operation: StoredOperation) -> str | None:
    """The current proximity code, for the calls that show it.

    :raises OperationFailure: the stored seed is unreadable
    """
    return proximity.current_otp(ports.settings, operation.row.totp_seed)


def shown_number(ports: Ports, operation: StoredOperation) -> str | None:
    """The number that the bank shows and the user finds on the phone, for the calls that tell it.

    :raises CoreError: what is stored is unreadable
    """
    return number_matching.number(ports.cipher, operation.row)


def detail_view(
    operation: StoredOperation,
    *,
    proximity_otp: str | None = None,
    number: str | None = None,
    device: bool = False,
) -> OperationDetailResponse:
    """
    :param proximity_otp: current proximity code, for the calls that show it
    :param number: that the bank shows, for the calls that tell it
    :param device: add the ``device`` of the user agent to the additional data
    """
    row = operation.row
    additional_data = row.additional_data or {}
    return made(
        OperationDetailResponse,
        id=row.id,
        user_id=row.user_id,
        applications=list(operation.applications),
        external_id=row.external_id,
        activation_flag=row.activation_flag,
        operation_type=row.operation_type,
        template_name=row.template_name,
        data=row.data,
        parameters=row.parameters or {},
        additional_data=with_device(additional_data) if device else additional_data,
        status=operation.status_at(clock.now()),
        status_reason=row.status_reason,
        signature_type=list(operation.signature_types),
        failure_count=row.failure_count,
        max_failure_count=row.max_failure_count,
        timestamp_created=row.timestamp_created,
        timestamp_expires=row.timestamp_expires,
        timestamp_finalized=row.timestamp_finalized,
        risk_flags=row.risk_flags,
        proximity_otp=proximity_otp,
        activation_id=row.activation_id,
        number_matching=number,
    )
