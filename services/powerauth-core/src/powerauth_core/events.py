"""Events of the core (D20): written to the outbox in the transaction of the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations.models import Activation
from powerauth_core.kernel.enums import ActivationStatus
from powerauth_core.operations.models import Operation
from servicekit import clock
from servicekit.bus import Event
from servicekit.outbox import add_event

SOURCE = "/powerauth-core"

ACTIVATION_STATUS_CHANGED = "activation.status_changed"
ACTIVATION_FLAGS_CHANGED = "activation.flags_changed"
OPERATION_CREATED = "operation.created"
OPERATION_STATUS_CHANGED = "operation.status_changed"
APPLICATION_CHANGED = "application.changed"
OPERATION_TEMPLATE_CHANGED = "operation_template.changed"

ApplicationPart = Literal["application", "version", "roles", "config", "policy", "key"]


async def activation_status_changed(
    session: AsyncSession,
    activation: Activation,
    *,
    application_id: str,
    previous_status: ActivationStatus | None,
) -> None:
    """Announce the status that ``activation`` has now.

    :param application_id: public id of its application
    :param previous_status: None for a new activation
    """
    changed = activation.timestamp_last_change or clock.now()
    data = {
        "activationId": activation.activation_id,
        "applicationId": application_id,
        "userId": activation.user_id,
        "protocol": activation.protocol,
        "activationStatus": activation.activation_status.value,
        "previousStatus": None if previous_status is None else previous_status.value,
        "timestampChange": clock.to_ms(changed),
    }
    if activation.blocked_reason is not None:
        data["blockedReason"] = activation.blocked_reason
    if activation.parent_activation_id is not None:
        data["parentActivationId"] = activation.parent_activation_id
    if activation.transfer_type is not None:
        data["transferType"] = activation.transfer_type
    await _add(session, ACTIVATION_STATUS_CHANGED, activation.activation_id, data)


async def activation_flags_changed(
    session: AsyncSession, activation: Activation, *, application_id: str
) -> None:
    """Announce the flags that ``activation`` has now."""
    await _add(
        session,
        ACTIVATION_FLAGS_CHANGED,
        activation.activation_id,
        {
            "activationId": activation.activation_id,
            "applicationId": application_id,
            "userId": activation.user_id,
            "flags": list(activation.flags or ()),
        },
    )


async def operation_created(
    session: AsyncSession, operation: Operation, application_ids: Sequence[str]
) -> None:
    """Announce a new operation and the public ids of its applications."""
    data = _operation_data(operation, application_ids)
    await _add(session, OPERATION_CREATED, operation.id, data)


async def operation_status_changed(
    session: AsyncSession, operation: Operation, application_ids: Sequence[str]
) -> None:
    """Announce the status that ``operation`` has now; call it only when the status changed."""
    data = _operation_data(operation, application_ids)
    data["failureCount"] = operation.failure_count
    if operation.status_reason is not None:
        data["statusReason"] = operation.status_reason
    if operation.timestamp_finalized is not None:
        data["timestampFinalized"] = clock.to_ms(operation.timestamp_finalized)
    await _add(session, OPERATION_STATUS_CHANGED, operation.id, data)


async def application_changed(session: AsyncSession, application_id: str, part: ApplicationPart) -> None:
    """Tell every process to forget what it knows about the application."""
    data = {"applicationId": application_id, "part": part}
    await _add(session, APPLICATION_CHANGED, application_id, data)


async def operation_template_changed(session: AsyncSession, placeholder: str, language: str) -> None:
    """Tell every cloud process to forget the texts of an operation type in a language."""
    data = {"placeholder": placeholder, "language": language}
    await _add(session, OPERATION_TEMPLATE_CHANGED, placeholder, data)


def _operation_data(operation: Operation, application_ids: Sequence[str]) -> dict[str, Any]:
    data: dict[str, Any] = {
        "operationId": operation.id,
        "operationType": operation.operation_type,
        "templateName": operation.template_name,
        "applications": list(application_ids),
        "status": operation.status.value,
    }
    optional = {
        "userId": operation.user_id,
        "activationId": operation.activation_id,
        "activationFlag": operation.activation_flag,
    }
    return data | {name: value for name, value in optional.items() if value is not None}


async def _add(session: AsyncSession, event_type: str, subject: str, data: Mapping[str, Any]) -> None:
    await add_event(session, Event.create(event_type, SOURCE, subject, data))
