"""HTTP of ``/v2/fido2`` (spec/cloud-api.md §8)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from cloud_private_api.errors import Fido2Invalid, Violation
from cloud_private_api.fido2 import service
from cloud_private_api.fido2.ports import Running
from cloud_private_api.parameters import AppIdQuery, QueryText
from cloud_private_api.routing import CallerDep, CloudRoute, CloudRouter, answer
from powerauth_contracts.cloud import fido2 as contract
from powerauth_contracts.cloud.fido2 import (
    AssertionChallengeRequest,
    AuthenticatorsOfUser,
    RegisterAuthenticator,
    RegistrationChallengeRequest,
    VerifyAssertion,
)
from powerauth_contracts.wire import WireModel


class Fido2Route(CloudRoute):
    """An endpoint about passkeys, whose callers know another code for what can not be read."""

    invalid_code = Fido2Invalid.code


router = CloudRouter("FIDO2", Fido2Route)


@router.answers(contract.LIST_AUTHENTICATORS)
async def list_authenticators(
    ports: Running,
    caller: CallerDep,
    request: AuthenticatorsOfUser | None = None,
    user_id: Annotated[QueryText | None, Query(alias="userId", min_length=1, max_length=255)] = None,
    app_id: AppIdQuery = None,
) -> Response:
    """The passkeys of a user, named in the body or the query."""
    given = request or AuthenticatorsOfUser()
    named = given.user_id or user_id
    if named is None:
        raise Fido2Invalid(Violation("userId", "must not be null"))
    return answer(await service.of_user(ports, caller, user_id=named, app_id=given.app_id or app_id))


@router.answers(contract.REGISTRATION_CHALLENGE)
async def registration_challenge(
    ports: Running, caller: CallerDep, request: RegistrationChallengeRequest
) -> Response:
    """Start a registration that waits for a passkey."""
    return answer(
        await service.registration_challenge(ports, caller, user_id=request.user_id, app_id=request.app_id)
    )


@router.answers(contract.REGISTER_AUTHENTICATOR)
async def register_authenticator(
    ports: Running, caller: CallerDep, request: RegisterAuthenticator
) -> Response:
    """Take a passkey."""
    return answer(
        await service.register(
            ports,
            caller,
            app_id=request.app_id,
            name=request.registration_name,
            expected_challenge=request.expected_challenge,
            parameters=_members(request.authenticator_parameters),
        )
    )


@router.answers(contract.ASSERTION_CHALLENGE)
async def assertion_challenge(
    ports: Running, caller: CallerDep, request: AssertionChallengeRequest
) -> Response:
    """Make an operation that passkeys may approve, or show one to a passkey."""
    return answer(
        await service.assertion_challenge(
            ports,
            caller,
            template=request.template_name,
            app_id=request.app_id,
            user_id=request.user_id,
            operation_id=request.operation_id,
            external_id=request.external_id,
            parameters=request.parameters,
        )
    )


@router.answers(contract.VERIFY_ASSERTION)
async def verify_assertion(ports: Running, caller: CallerDep, request: VerifyAssertion) -> Response:
    """Approve the operation of the challenge by a passkey."""
    return answer(
        await service.verify(
            ports,
            caller,
            app_id=request.application_id,
            client_data_json=request.response.client_data_json,
            assertion=_members(request),
        )
    )


def _members(request: WireModel) -> dict[str, Any]:
    return request.model_dump(by_alias=True, exclude_none=True)
