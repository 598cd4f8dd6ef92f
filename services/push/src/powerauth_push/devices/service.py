"""Registration of devices (spec/push-api.md §6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationStatus
from powerauth_contracts.rest import activations as core
from powerauth_push.core_client import CoreAway, CoreClient, CoreFailed
from powerauth_push.devices import repository, rules
from powerauth_push.devices.models import DeviceRegistration
from powerauth_push.devices.ports import Ports
from powerauth_push.devices.rules import NewDevice, Owner
from powerauth_push.errors import CoreRefusal, DataConflict, PushError
from powerauth_push.settings import PushSettings
from servicekit import clock
from servicekit.database import Database, Dialect
from servicekit.errors import DataRefused
from servicekit.logs import get_logger

_log = get_logger(__name__)


async def owner_of(core_client: CoreClient, activation_id: str, app_id: str) -> Owner:
    """Whose an activation is, as the core says now.

    :raises CoreRefusal: the core does not say, or it is removed, unknown or of another application
    """
    try:
        found = await core_client.ask(core.STATUS, activation_id=activation_id)
    except CoreFailed:
        raise CoreRefusal from None
    if found.activation_status == ActivationStatus.REMOVED or found.application_id != app_id:
        raise CoreRefusal
    return Owner(activation_id, found.user_id, rules.is_active(found.activation_status))


async def register(ports: Ports, device: NewDevice, owner: Owner) -> None:
    """Register an activation at a token; the one that was there before is replaced.

    Where the owner's state is to be asked for, that comes last: a change before it is in the core's answer,
    the event of one after it finds the registration. Until then a new one gets nothing personal.

    :raises CoreRefusal: the core does not say, so a new registration stays inactive
    :raises PushError: the activation or the token stands in several registrations
    :raises DataConflict: others registered the same at the same moment, again and again
    """

    async def once(session: AsyncSession) -> None:
        await _register(session, ports.database.dialect, device, owner)

    await _in_turn(ports.database, ports.settings, once)
    if owner.active is None:
        await update_status(ports, owner.activation_id, None)


async def register_all(ports: Ports, device: NewDevice, owners: Sequence[Owner]) -> None:
    """Register several activations at one token, all or none; raises as `register`.

    :raises PushError: that is switched off
    """

    async def once(session: AsyncSession) -> None:
        await _register_all(session, ports.database.dialect, device, owners)

    await _in_turn(ports.database, ports.settings, once)


async def update_status(ports: Ports, activation_id: str, status: ActivationStatus | None) -> None:
    """Write what an activation's status means for its registrations: as the core says now.

    :param status: what the caller heard, which counts only while the core is away
    :raises CoreRefusal: the core does not say
    """
    try:
        status = (await ports.core.ask(core.STATUS, activation_id=activation_id)).activation_status
    except CoreAway:
        if status is None:
            raise CoreRefusal from None
    except CoreFailed:
        raise CoreRefusal from None
    active = rules.is_active(status)
    async with ports.database.transaction() as session:
        await repository.set_active(session, activation_id, active)


async def forget(database: Database, app_number: int, token: str) -> None:
    """Delete the registrations at a token."""
    async with database.transaction() as session:
        await repository.forget_token(session, app_number, rules.token_digest(token))


async def _in_turn(
    database: Database, settings: PushSettings, work: Callable[[AsyncSession], Awaitable[None]]
) -> None:
    """Run a transaction again while others get in its way, a bounded number of times."""
    for attempt in range(settings.registration_retry_max_attempts):
        if attempt:
            await asyncio.sleep(settings.registration_retry_backoff_ms / 1000)
        try:
            async with database.transaction() as session:
                await work(session)
            return
        except DataRefused:
            continue
    raise DataConflict


async def _register(session: AsyncSession, dialect: Dialect, device: NewDevice, owner: Owner) -> None:
    found = await _own(session, dialect, device, owner)
    if not found:
        found = await repository.of_token(session, dialect, device.app_number, device.digest)
    if len(found) > 1:
        raise PushError("The token is registered for several activations")
    _write(session, found[0] if found else None, device, owner)


async def _own(
    session: AsyncSession, dialect: Dialect, device: NewDevice, owner: Owner
) -> Sequence[DeviceRegistration]:
    """The activation's own registration, by its token if it has the same still."""
    exact = await repository.at_token(session, dialect, owner.activation_id, device.digest)
    found = exact or await repository.of_activation(session, dialect, owner.activation_id)
    if len(found) > 1:
        raise PushError("The activation is registered several times")
    return found


async def _register_all(
    session: AsyncSession, dialect: Dialect, device: NewDevice, owners: Sequence[Owner]
) -> None:
    """Afterwards these activations are at the token, and what several others were is gone (§6.2)."""
    used: set[int] = set()
    for owner in owners:
        found = await _own(session, dialect, device, owner)
        if not found:
            found = await repository.of_token(session, dialect, device.app_number, device.digest)
        row = found[0] if len(found) == 1 and found[0].id not in used else None
        if len(found) > 1:
            for other in found:
                if other.id not in used:
                    await session.delete(other)
            await session.flush()
        row = _write(session, row, device, owner)
        await session.flush()
        used.add(row.id)


def _write(
    session: AsyncSession, row: DeviceRegistration | None, device: NewDevice, owner: Owner
) -> DeviceRegistration:
    if row is None:
        row = DeviceRegistration()
        session.add(row)
    elif row.activation_id != owner.activation_id:
        # Whoever knows a foreign token can take its deliveries away: it must be seen afterwards.
        _log.warning(
            "push token registered for another activation",
            token=rules.masked(device.token),
            activation=owner.activation_id,
            previous=row.activation_id,
        )
    row.app_id = device.app_number
    if owner.active is not None:
        row.is_active = owner.active
    elif row.activation_id != owner.activation_id:
        row.is_active = False
    row.activation_id, row.user_id = owner.activation_id, owner.user_id
    row.push_token, row.push_token_digest = device.token, device.digest
    row.platform = device.platform.value
    row.environment = None if device.environment is None else device.environment.value
    row.timestamp_last_registered = clock.now()
    return row
