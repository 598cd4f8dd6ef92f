"""Registering a device: who it is comes from the token, never from the body (spec/enrollment-api.md §13)."""

from __future__ import annotations

from enrollment.core_client import CoreDoor, told
from enrollment.errors import PushRegistrationFailed, SignatureInvalid
from enrollment.pipeline import calls
from enrollment.pipeline.incoming import Incoming
from enrollment.push.rules import Caller, check_registration
from enrollment.push_client import PushClient, PushRefused
from enrollment.wire import request_object
from powerauth_contracts.dmz.table import WHO_AM_I
from powerauth_contracts.push import devices


async def register_device(door: CoreDoor, push: PushClient, incoming: Incoming) -> None:
    """Register the push token of the activation that the PowerAuth token belongs to.

    :raises SignatureInvalid: when not authenticated.
    :raises InvalidRequest: for an unusable request object.
    :raises PushRegistrationFailed: when the push service does not register it.
    """
    caller = await who_am_i(door, incoming, "push/device/register")
    registration = check_registration(request_object(incoming.body))
    registration |= {"appId": caller.application_id, "activationId": caller.activation_id}
    try:
        await push.ask(devices.CREATE, registration, caller.statement)
    except PushRefused:
        raise PushRegistrationFailed from None


async def who_am_i(door: CoreDoor, incoming: Incoming, action: str) -> Caller:
    """Return the token's owner with the core's statement of it for the push service.

    :param action: the one action that the statement is good for: the path of the request below ``/api``.

    :raises SignatureInvalid: when not authenticated.
    """
    answer = await calls.by_token(door, WHO_AM_I, incoming, SignatureInvalid, audience=action)
    return Caller(
        activation_id=told(answer.activation_id),
        user_id=told(answer.user_id),
        application_id=told(answer.application_id),
        statement=told(answer.statement),
    )
