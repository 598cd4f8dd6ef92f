"""Opening an activation for another device, and what its key exchange does to the one that opened it
(spec/device-trust.md §5.1, §5.2).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import CommitPhase, TransferType
from powerauth_core.activations.administration import remove_locked
from powerauth_core.activations.history import ActivationChanges
from powerauth_core.activations.initialisation import Properties, StartedActivation, initialise, started
from powerauth_core.activations.models import Activation
from powerauth_core.activations.rules import ACTIVE
from powerauth_core.applications import config_service
from powerauth_core.applications import transfer_rules as rules
from powerauth_core.applications.config_keys import ACTIVATION_TRANSFER
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.kernel.errors import IncorrectActivationState
from powerauth_core.transfers import repository
from powerauth_core.transfers.ports import Ports
from servicekit import clock

_DAY = timedelta(days=1)


class Source(Protocol):
    """The activation that opens another one.

    :ivar application_rid: row id of its application
    :ivar application_id: public id of its application
    """

    @property
    def activation_id(self) -> str: ...

    @property
    def user_id(self) -> str: ...

    @property
    def application_rid(self) -> int: ...

    @property
    def application_id(self) -> str: ...

    @property
    def flags(self) -> tuple[str, ...]: ...


async def open_transfer(
    ports: Ports, session: AsyncSession, source: Source, target: str, otp_hash: str
) -> StartedActivation | None:
    """Start an activation of the same user in another application, or in the same one on another phone.

    An earlier one of the same kind that no device has used yet is removed.

    :param source: the activation that asks, locked
    :param target: id of the destination application
    :param otp_hash: Argon2 text of the password that the key exchange has to bring
    :return: None if the configuration does not allow it, or not today any more
    :raises CoreError: the activation cannot be started, as `initialise`
    """
    values = await config_service.values_of(
        ports.cipher, session, source.application_rid, source.application_id, ACTIVATION_TRANSFER
    )
    destination = rules.choose(values or (), target)
    application = await ports.application_cache.by_id(session, target)
    if destination is None or application is None or not destination.admits(source.flags):
        return None
    parent_id = source.activation_id
    if await repository.opened_since(session, parent_id, clock.now() - _DAY) >= destination.max_per_day:
        return None
    for unused in await repository.lock_open(
        session, parent_id, destination.type, application.application_rid
    ):
        await remove_locked(ports.changes, session, unused)
    facts = {
        "sourceApplicationId": source.application_id,
        "targetApplicationId": target,
        "transferType": destination.type.value,
    }
    child = await initialise(
        ports,
        session,
        application,
        Properties(
            user_id=source.user_id,
            otp_hash=otp_hash,
            commit_phase=CommitPhase.ON_KEY_EXCHANGE,
            flags=destination.initial_flags,
            additional_data=facts,
            parent_activation_id=parent_id,
            transfer_type=destination.type,
        ),
    )
    await _audit(session, "Init activation", child, target)
    return started(application, child)


async def check_parent(
    changes: ActivationChanges, session: AsyncSession, child: Activation, parent: Activation | None
) -> None:
    """Let a device join only while the activation that opened this one is ACTIVE.

    Else a phone that was blocked or removed as stolen could escape within the life of a code.

    :param child: locked, about to become ACTIVE
    :param parent: locked, None if the child was not opened by another activation
    :raises IncorrectActivationState: it is not; the child has been removed
    """
    if child.parent_activation_id is None or (parent is not None and parent.activation_status is ACTIVE):
        return
    await remove_locked(changes, session, child)
    raise IncorrectActivationState(keep_changes=True)


async def complete(
    changes: ActivationChanges,
    session: AsyncSession,
    child: Activation,
    parent: Activation | None,
    application_id: str,
) -> None:
    """Finish a transfer in the transaction in which its activation became ACTIVE: a move removes the parent.

    :param child: locked
    :param parent: locked, None if the child was not opened by another activation
    :param application_id: public id of the child's application
    """
    if parent is None or child.activation_status is not ACTIVE:
        return
    if child.transfer_type == TransferType.MOVE:
        await remove_locked(changes, session, parent)
    await _audit(session, "Activation transfer completed", child, application_id)


async def _audit(session: AsyncSession, message: str, child: Activation, application_id: str) -> None:
    params: dict[str, Any] = {
        "activationId": child.activation_id,
        "userId": child.user_id,
        "applicationId": application_id,
        "parentActivationId": child.parent_activation_id,
        "transferType": child.transfer_type,
    }
    await audit.record(session, AuditType.ACTIVATION, message, params, child.user_id)
