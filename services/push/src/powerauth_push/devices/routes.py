"""HTTP side of the registration of devices (spec/push-api.md §6)."""

from __future__ import annotations

from powerauth_contracts.push import devices as contract
from powerauth_contracts.push.devices import ApnsEnvironment, Platform
from powerauth_push.callers.rules import Scope
from powerauth_push.devices import rules, service
from powerauth_push.devices.ports import Ports
from powerauth_push.devices.rules import NewDevice, Owner
from powerauth_push.errors import CoreRefusal, PushError, StatementRefused
from powerauth_push.providers.messages import Environment
from powerauth_push.routing import Asked, PushRouter

router = PushRouter("Devices")


@router.answers(contract.CREATE)
async def create_device(ports: Ports, asked: Asked[contract.CreateDeviceRequest]) -> None:
    given = asked.content
    device = await _device(ports, given)
    await service.register(ports, device, await _owner(ports, asked))


@router.answers(contract.CREATE_MULTI)
async def create_devices(ports: Ports, asked: Asked[contract.CreateDevicesRequest]) -> None:
    given = asked.content
    if not ports.settings.registration_multiple_activations_enabled:
        raise PushError("Registration of several activations is switched off")
    if given.environment is not None and given.platform is not Platform.APNS:
        raise PushError("requestObject.environment is of apns only")
    device = await _device(ports, given)
    owners = [
        await service.owner_of(ports.core, activation_id, given.app_id)
        for activation_id in dict.fromkeys(given.activation_ids)
    ]
    await service.register_all(ports, device, owners)


@router.answers(contract.UPDATE_STATUS)
async def update_status(ports: Ports, asked: Asked[contract.UpdateStatusRequest]) -> None:
    await service.update_status(ports, asked.content.activation_id, asked.content.activation_status)


@router.answers(contract.DELETE)
async def delete_device(ports: Ports, asked: Asked[contract.DeleteDeviceRequest]) -> None:
    number = await ports.applications.number(asked.content.app_id)
    await service.forget(ports.database, number, asked.content.token)


async def _device(ports: Ports, given: contract.Registration) -> NewDevice:
    return NewDevice(
        app_number=await ports.applications.number(given.app_id),
        app_id=given.app_id,
        token=given.token,
        platform=given.platform,
        environment=_environment(given.environment),
    )


def _environment(given: ApnsEnvironment | None) -> Environment | None:
    return None if given is None else Environment(given.value)


async def _owner(ports: Ports, asked: Asked[contract.CreateDeviceRequest]) -> Owner:
    """Whose the activation is: by the core's statement, by who may say so, or by asking the core."""
    given, subject = asked.content, asked.subject
    if subject is not None:
        if (subject.activation_id, subject.application_id) != (given.activation_id, given.app_id):
            raise StatementRefused
        return Owner(subject.activation_id, subject.user_id, active=None)
    if Scope.TRUSTED_DEVICE not in asked.caller.scopes:
        return await service.owner_of(ports.core, given.activation_id, given.app_id)
    if given.activation_status is None and given.user_id is None:
        return await service.owner_of(ports.core, given.activation_id, given.app_id)
    if given.activation_status is None or given.user_id is None:
        raise PushError("requestObject.activationStatus and userId are given together only")
    if given.activation_status == "REMOVED":
        raise CoreRefusal
    return Owner(given.activation_id, given.user_id, rules.is_active(given.activation_status))
