"""The one way to save a status-relevant change of an activation (spec/core-api.md §22.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.activations.models import Activation, ActivationHistory
from powerauth_core.activations.rules import BLOCKED
from powerauth_core.activations.stored import AnyActivation
from powerauth_core.applications.cache import ApplicationCache
from powerauth_core.kernel.changes import ActivationChanged, Cause, Listeners
from servicekit import clock
from servicekit.additions import Additions, Target

HISTORY = Target(
    ActivationHistory.__tablename__,
    {
        "activation_id": "varchar",
        "activation_status": "int",
        "event_reason": "varchar",
        "external_user_id": "varchar",
        "timestamp_created": "timestamp",
        "activation_version": "int",
        "activation_name": "varchar",
    },
)


@dataclass(frozen=True, slots=True)
class ActivationChanges:
    """Saves changes of activations and tells of them."""

    applications: ApplicationCache
    listeners: Listeners

    async def record(
        self,
        session: AsyncSession,
        activation: Activation,
        *,
        previous_status: ActivationStatus | None,
        cause: Cause = Cause.OTHER,
        reason: str | None = None,
        external_user_id: str | None = None,
        notify: bool = True,
    ) -> None:
        """Stamp the change that was made to ``activation``, write its history and tell the listeners, in the
        caller's transaction.

        :param activation: locked by this transaction or new in it, with its new values; the rest as `changed`
        """
        change = changed(
            activation,
            await application_id_of(self.applications, session, activation),
            previous_status=previous_status,
            cause=cause,
            reason=reason,
            external_user_id=external_user_id,
            notify=notify,
        )
        await self._keep(session, [change])

    async def record_all(
        self,
        session: AsyncSession,
        activations: Sequence[tuple[Activation, ActivationStatus]],
        *,
        cause: Cause,
    ) -> None:
        """The same of several that changed for one cause, in as many statements as of one.

        :param activations: each with its status before the change
        """
        changes = [
            changed(
                activation,
                await application_id_of(self.applications, session, activation),
                previous_status=previous,
                cause=cause,
            )
            for activation, previous in activations
        ]
        if changes:
            await self._keep(session, changes)

    async def _keep(self, session: AsyncSession, changes: Sequence[ActivationChanged]) -> None:
        additions = Additions.of(session)
        for change in changes:
            keep_history(additions, change)
        await session.flush()
        await self.listeners.activations_changed(session, changes, additions)


def changed(
    activation: AnyActivation,
    application_id: str,
    *,
    previous_status: ActivationStatus | None,
    cause: Cause = Cause.OTHER,
    reason: str | None = None,
    external_user_id: str | None = None,
    notify: bool = True,
) -> ActivationChanged:
    """Stamp the change that was made to an activation, and say what it is.

    :param activation: with its new values
    :param application_id: public id of its application
    :param previous_status: status before the change, None for a new activation
    :param reason: event reason; of a BLOCKED activation its blocked reason is recorded instead
    :param external_user_id: who asked for the change, None for the user or the system
    :param notify: whether callbacks hear of it (spec/core-api.md §22.1)
    """
    now = activation.timestamp_last_change = clock.now()
    return ActivationChanged(
        activation_id=activation.activation_id,
        application_id=application_id,
        user_id=activation.user_id,
        protocol=ActivationProtocol(activation.protocol),
        status=activation.activation_status,
        previous_status=previous_status,
        cause=cause,
        reason=activation.blocked_reason if activation.activation_status is BLOCKED else reason,
        external_user_id=external_user_id,
        notify=notify,
        changed=now,
        blocked_reason=activation.blocked_reason,
        name=activation.activation_name,
        platform=activation.platform,
        device_info=activation.device_info,
        flags=tuple(activation.flags or ()),
        version=activation.version,
        failed_attempts=activation.failed_attempts,
        max_failed_attempts=activation.max_failed_attempts,
        parent_activation_id=activation.parent_activation_id,
        transfer_type=activation.transfer_type,
    )


def keep_history(additions: Additions, change: ActivationChanged) -> None:
    """Add an activation's change to its history."""
    additions.add(
        HISTORY,
        (
            change.activation_id,
            change.status.code,
            change.reason,
            change.external_user_id,
            change.changed,
            change.version,
            change.name,
        ),
    )


async def application_id_of(
    applications: ApplicationCache, session: AsyncSession, activation: Activation
) -> str:
    """Public id of the activation's application."""
    identity = await applications.by_rid(session, activation.application_id)
    if identity is None:
        raise LookupError("an activation without application")
    return identity.application_id
