"""The one way to save a status-relevant change of an activation (spec/core-api.md §22.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core import events
from powerauth_core.activations.models import Activation, ActivationHistory
from powerauth_core.activations.rules import BLOCKED, CREATED
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.callbacks import service as callbacks
from powerauth_core.kernel.enums import ActivationStatus
from servicekit import clock

if TYPE_CHECKING:
    from powerauth_core.container import Core


async def record_change(
    core: Core,
    session: AsyncSession,
    activation: Activation,
    *,
    previous_status: ActivationStatus | None,
    reason: str | None = None,
    external_user_id: str | None = None,
    notify: bool = True,
) -> None:
    """Stamp the change that was made to ``activation`` and tell everybody, in the caller's transaction.

    Writes the history row, the audit record and, if the status changed, the event; enqueues callbacks.

    :param activation: locked by this transaction or new in it, with its new values
    :param previous_status: status before the change, None for a new activation
    :param reason: event reason; of a BLOCKED activation its blocked reason is recorded instead
    :param external_user_id: who asked for the change, None for the user or the system
    :param notify: whether callbacks hear of it (spec/core-api.md §22.1)
    """
    activation.timestamp_last_change = clock.now()
    event_reason = activation.blocked_reason if activation.activation_status is BLOCKED else reason
    session.add(
        ActivationHistory(
            activation_id=activation.activation_id,
            activation_status=activation.activation_status,
            event_reason=event_reason,
            external_user_id=external_user_id,
            timestamp_created=activation.timestamp_last_change,
            activation_version=activation.version,
            activation_name=activation.activation_name,
        )
    )
    await session.flush()
    application_id = await application_id_of(core, session, activation)
    await audit.record(
        session,
        AuditType.ACTIVATION,
        f"Activation status: {activation.activation_status.value}",
        _audit_params(activation, application_id, event_reason, external_user_id),
        activation.user_id,
    )
    if activation.activation_status is not previous_status:
        await events.activation_status_changed(
            session, activation, application_id=application_id, previous_status=previous_status
        )
    if notify:
        await callbacks.enqueue_activation(core, session, activation, application_id)


async def application_id_of(core: Core, session: AsyncSession, activation: Activation) -> str:
    """Public id of the activation's application."""
    identity = await core.application_cache.by_rid(session, activation.application_id)
    if identity is None:
        raise LookupError("an activation without application")
    return identity.application_id


def _audit_params(
    activation: Activation, application_id: str, reason: str | None, external_user_id: str | None
) -> dict[str, Any]:
    params: dict[str, Any] = {
        "activationId": activation.activation_id,
        "userId": activation.user_id,
        "applicationId": application_id,
        "status": activation.activation_status.value,
        "maxFailedAttempts": activation.max_failed_attempts,
    }
    if activation.activation_status is not CREATED:
        params |= {
            "activationName": activation.activation_name,
            "platform": activation.platform,
            "failedAttempts": activation.failed_attempts,
            "deviceInfo": activation.device_info,
            "reason": reason,
            "activationVersion": activation.version,
        }
    if external_user_id is not None:
        params["externalUserId"] = external_user_id
    return params
