"""Use cases of ``/v2/fido2`` (spec/cloud-api.md §8).

What an authenticator or a browser made is handed on as it came, by the names of the core's contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud_private_api.access.rules import Caller, one_application
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import Fido2Refused, OperationNotFound
from cloud_private_api.fido2 import rules
from cloud_private_api.fido2.ports import Ports
from cloud_private_api.operations.v2 import service as operations
from powerauth_contracts.cloud.fido2 import (
    AssertionChallenge,
    Authenticator,
    Authenticators,
    RegistrationChallenge,
    VerifiedAssertion,
)
from powerauth_contracts.rest import fido2 as contract
from powerauth_contracts.wire import ObjectResponse

_shown_operation = in_area(Area.OPERATIONS)(operations.find)


@in_area(Area.FIDO2)
async def of_user(
    ports: Ports, caller: Caller, *, user_id: str, app_id: str | None
) -> ObjectResponse[Authenticators]:
    """Passkeys of a user that are ACTIVE or BLOCKED."""
    found = await ports.core.ask(contract.LIST, user_id=user_id, application_id=_one(caller, app_id))
    return rules.authenticators(found.authenticators)


@in_area(Area.FIDO2)
async def registration_challenge(
    ports: Ports, caller: Caller, *, user_id: str, app_id: str
) -> RegistrationChallenge:
    """Start a registration that waits for a passkey."""
    found = await ports.core.ask(
        contract.REGISTRATION_CHALLENGE, user_id=user_id, application_id=_one(caller, app_id)
    )
    return rules.registration_challenge(found)


@in_area(Area.FIDO2)
async def register(
    ports: Ports,
    caller: Caller,
    *,
    app_id: str,
    name: str,
    expected_challenge: str,
    parameters: Mapping[str, Any],
) -> Authenticator:
    """Take a passkey.

    :param parameters: ``authenticatorParameters`` by their wire names
    """
    found = await ports.core.ask(
        contract.REGISTER,
        application_id=_one(caller, app_id),
        activation_name=name,
        expected_challenge=expected_challenge,
        authenticator_parameters=parameters,
    )
    return rules.authenticator(found)


async def assertion_challenge(
    ports: Ports,
    caller: Caller,
    *,
    template: str,
    app_id: str | None,
    user_id: str | None,
    operation_id: str | None,
    external_id: str | None,
    parameters: Mapping[str, str | None] | None,
) -> AssertionChallenge:
    """Make an operation that passkeys may approve, or show one of the caller's to a passkey.

    :raises OperationNotFound: the operation is unknown, or of no application of the caller
    """
    if operation_id is not None:
        await _shown_operation(ports, caller, operation_id)
    return await _challenge(
        ports,
        application_ids=caller.applications if app_id is None else [_one(caller, app_id)],
        template_name=template,
        user_id=user_id,
        operation_id=operation_id,
        external_id=external_id,
        parameters=parameters,
    )


@in_area(Area.FIDO2)
async def _challenge(ports: Ports, **members: Any) -> AssertionChallenge:
    if not members["application_ids"]:
        raise Fido2Refused
    return rules.assertion_challenge(await ports.core.ask(contract.ASSERTION_CHALLENGE, **members))


@in_area(Area.FIDO2)
async def verify(
    ports: Ports, caller: Caller, *, app_id: str, client_data_json: str, assertion: Mapping[str, Any]
) -> VerifiedAssertion:
    """Approve the operation that the challenge names.

    :param client_data_json: Base64
    :param assertion: the whole request by its wire names, which are those of the core
    """
    _one(caller, app_id)
    try:
        await operations.find(ports, caller, rules.operation_of(client_data_json))
    except OperationNotFound:
        raise Fido2Refused from None
    return rules.verified(await ports.core.ask(contract.VERIFY, **assertion))


def _one(caller: Caller, app_id: str | None) -> str:
    return one_application(caller, app_id, refusal=Fido2Refused, empty=Fido2Refused)
