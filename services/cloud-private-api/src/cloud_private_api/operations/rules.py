"""Decisions about operations, without I/O (spec/cloud-api.md §2.2, §5)."""

from __future__ import annotations

from collections.abc import Iterable

from cloud_private_api.errors import (
    OperationNotFound,
    OperationStateChangeRefused,
    RegistrationChangeRefused,
)
from powerauth_contracts.cloud.operations import Operation
from powerauth_contracts.declared import made
from powerauth_contracts.rest.activations import ActivationStatusResponse
from powerauth_contracts.rest.operations import OperationDetailResponse

PENDING = "PENDING"
APPROVED = "APPROVED"
REJECTED = "REJECTED"
_PASSKEY_MEMBER = "allowCredentials"
_ONE_FACTOR_TYPES = frozenset({"POSSESSION", "KNOWLEDGE", "BIOMETRY"})


def shown(operation: OperationDetailResponse) -> Operation:
    """An operation without the members that belong to its detail."""
    return made(
        Operation,
        operation_id=operation.id,
        user_id=operation.user_id,
        status=operation.status,
        status_reason=operation.status_reason,
        template=operation.template_name,
        operation_type=operation.operation_type,
        external_id=operation.external_id,
        parameters=operation.parameters,
        failure_count=operation.failure_count,
        max_failure_count=operation.max_failure_count,
        timestamp_created=operation.timestamp_created,
        timestamp_expires=operation.timestamp_expires,
        timestamp_finalized=operation.timestamp_finalized,
        data=operation.data,
        signature_type=[*operation.signature_type],
        flag=operation.activation_flag,
        registration_id=operation.activation_id,
        risk_flags=operation.risk_flags,
        applications=operation.applications,
    )


def detail(operation: OperationDetailResponse) -> Operation:
    """The detail: with additional data, and proximity OTP and number while they can be used."""
    item = shown(operation)
    item.additional_data = operation.additional_data or {}
    if operation.status == PENDING:
        item.proximity_otp = operation.proximity_otp
        item.number_matching = operation.number_matching
    return item


def listed(operation: OperationDetailResponse) -> Operation:
    """A list item: additional data without the passkeys, no proximity OTP."""
    item = shown(operation)
    data = operation.additional_data or {}
    item.additional_data = {key: value for key, value in data.items() if key != _PASSKEY_MEMBER}
    return item


def newest_first(operations: Iterable[OperationDetailResponse]) -> list[OperationDetailResponse]:
    """By creation, newest first; equal moments by id."""
    return sorted(operations, key=lambda item: (item.timestamp_created, item.id), reverse=True)


def allows_one_factor(operation: OperationDetailResponse) -> bool:
    """Whether a code of a single component can approve the operation."""
    return not _ONE_FACTOR_TYPES.isdisjoint(operation.signature_type)


def allows_biometry(operation: OperationDetailResponse) -> bool:
    """Whether biometry may stand for the PIN."""
    return "POSSESSION_BIOMETRY" in operation.signature_type


def require_pending(operation: OperationDetailResponse) -> None:
    """Whether anything can still happen to the operation; the core tells expiry on read.

    :raises OperationStateChangeRefused: it is final
    """
    if operation.status != PENDING:
        raise OperationStateChangeRefused


def require_fit(operation: OperationDetailResponse, registration: ActivationStatusResponse) -> None:
    """Whether this operation is one for this registration, in whatever state they are (§5.4, D31).

    :raises OperationNotFound: the operation is not for this user, application, registration or flag
    """
    fits = (
        operation.user_id in (None, registration.user_id)
        and operation.activation_id in (None, registration.activation_id)
        and registration.application_id in operation.applications
        and (operation.activation_flag is None or operation.activation_flag in registration.activation_flags)
    )
    if not fits:
        raise OperationNotFound


def require_active(registration: ActivationStatusResponse) -> None:
    """Whether the registration can approve anything.

    :raises RegistrationChangeRefused: it is not ACTIVE
    """
    if registration.activation_status != "ACTIVE":
        raise RegistrationChangeRefused
