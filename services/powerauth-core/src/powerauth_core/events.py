"""Events of the core (D20): written to the outbox in the transaction of the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts import moments
from powerauth_core.kernel.changes import ActivationChanged, OperationChanged, OperationStep
from servicekit import outbox
from servicekit.additions import Additions
from servicekit.bus import Event

SOURCE = "/powerauth-core"

ACTIVATION_STATUS_CHANGED = "activation.status_changed"
ACTIVATION_FLAGS_CHANGED = "activation.flags_changed"
OPERATION_CREATED = "operation.created"
OPERATION_STATUS_CHANGED = "operation.status_changed"
APPLICATION_CHANGED = "application.changed"
OPERATION_TEMPLATE_CHANGED = "operation_template.changed"
TEMPLATE_CHANGED = "template.changed"
SIGNING_KEY_CHANGED = "signing_key.changed"

ApplicationPart = Literal["application", "version", "roles", "config", "policy", "key"]


class Keeper:
    """Announces changes."""

    def activation_changed(self, additions: Additions, change: ActivationChanged) -> None:
        """Announce an activation's new status; other changes are not announced."""
        if change.status is not change.previous_status:
            data = _activation_data(change)
            outbox.put_event(additions, _event(ACTIVATION_STATUS_CHANGED, change.activation_id, data))

    def operation_changed(self, additions: Additions, change: OperationChanged) -> None:
        """Announce a new operation, or an operation's new status (D20)."""
        data = _operation_data(change)
        if change.step is OperationStep.CREATED:
            outbox.put_event(additions, _event(OPERATION_CREATED, change.operation_id, data))
        elif change.step.changes_status:
            finalized = None if change.finalized is None else moments.to_ms(change.finalized)
            optional = {"statusReason": change.status_reason, "timestampFinalized": finalized}
            data |= {"failureCount": change.failure_count} | _present(optional)
            outbox.put_event(additions, _event(OPERATION_STATUS_CHANGED, change.operation_id, data))


async def activation_flags_changed(
    session: AsyncSession, activation_id: str, application_id: str, user_id: str, flags: Sequence[str]
) -> None:
    """Announce the flags that an activation has now."""
    data = {
        "activationId": activation_id,
        "applicationId": application_id,
        "userId": user_id,
        "flags": list(flags),
    }
    await outbox.add_event(session, _event(ACTIVATION_FLAGS_CHANGED, activation_id, data))


async def application_changed(session: AsyncSession, application_id: str, part: ApplicationPart) -> None:
    """Tell every process to forget what it knows about the application."""
    data = {"applicationId": application_id, "part": part}
    await outbox.add_event(session, _event(APPLICATION_CHANGED, application_id, data))


async def operation_template_changed(session: AsyncSession, placeholder: str, language: str) -> None:
    """Tell every cloud process to forget the texts of an operation type in a language."""
    data = {"placeholder": placeholder, "language": language}
    await outbox.add_event(session, _event(OPERATION_TEMPLATE_CHANGED, placeholder, data))


def _activation_data(change: ActivationChanged) -> dict[str, Any]:
    data = {
        "activationId": change.activation_id,
        "applicationId": change.application_id,
        "userId": change.user_id,
        "protocol": change.protocol.value,
        "activationStatus": change.status.value,
        "previousStatus": None if change.previous_status is None else change.previous_status.value,
        "timestampChange": moments.to_ms(change.changed),
    }
    optional = {
        "blockedReason": change.blocked_reason,
        "parentActivationId": change.parent_activation_id,
        "transferType": change.transfer_type,
    }
    return data | _present(optional)


async def template_changed(session: AsyncSession, name: str) -> None:
    """Tell every process of the core to forget what operations are made from."""
    await outbox.add_event(session, _event(TEMPLATE_CHANGED, name, {"templateName": name}))


async def signing_key_changed(session: AsyncSession, kid: str) -> None:
    """Tell every process of the core to forget the keys of signed tokens."""
    await outbox.add_event(session, _event(SIGNING_KEY_CHANGED, kid, {"kid": kid}))


def _operation_data(change: OperationChanged) -> dict[str, Any]:
    data: dict[str, Any] = {
        "operationId": change.operation_id,
        "operationType": change.operation_type,
        "templateName": change.template_name,
        "applications": list(change.applications),
        "status": change.status.value,
    }
    optional = {
        "userId": change.user_id,
        "activationId": change.activation_id,
        "activationFlag": change.activation_flag,
    }
    return data | _present(optional)


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _event(event_type: str, subject: str, data: Mapping[str, Any]) -> Event:
    return Event.create(event_type, SOURCE, subject, data)
