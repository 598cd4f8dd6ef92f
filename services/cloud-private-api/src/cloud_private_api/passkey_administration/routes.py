"""HTTP of login preferences and passkeys (spec/device-trust.md §4.13)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Query
from starlette.responses import Response

from cloud_private_api.parameters import (
    AppIdPath,
    AppIdQuery,
    ExternalUserIdQuery,
    QueryBool,
    QueryText,
    RegistrationIdPath,
    UserIdQuery,
)
from cloud_private_api.passkey_administration import rules, service
from cloud_private_api.passkey_administration.ports import Running
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import passkeys as contract
from powerauth_contracts.cloud.passkeys import AuthMethods, LoginPreferences
from powerauth_contracts.wire import StatusResponse
from servicekit.answers import JsonResponse

router = CloudRouter("Passkeys")


@router.answers(contract.GET_LOGIN_PREFERENCES)
async def get_preferences(ports: Running, app_id: AppIdPath) -> Response:
    """The passkey policy of an application, and what of it holds."""
    return _tagged(await service.preferences(ports, app_id))


@router.answers(contract.UPDATE_LOGIN_PREFERENCES)
async def update_preferences(
    ports: Running,
    caller: CallerDep,
    app_id: AppIdPath,
    request: AuthMethods,
    dry_run: Annotated[QueryBool, Query(alias="dryRun")] = False,
    confirmation: Annotated[QueryText | None, Query(max_length=255)] = None,
    force: Annotated[QueryBool, Query()] = False,
    if_match: Annotated[str | None, Header(alias="If-Match", max_length=255)] = None,
) -> Response:
    """Replace the passkey policy of an application; `dryRun` answers with the impact and changes nothing."""
    if dry_run:
        return answer(await service.impact(ports, app_id, request.webauthn_api))
    changed = await service.change(
        ports,
        caller,
        app_id,
        request.webauthn_api,
        confirmation=confirmation,
        force=force,
        version=rules.version_of(if_match),
    )
    return _tagged(changed)


@router.answers(contract.LOGIN_PREFERENCES_IMPACT)
async def get_impact(ports: Running, app_id: AppIdPath, request: AuthMethods) -> Response:
    """Who would lose passkeys by a policy; its `confirmation` lets the change through."""
    return answer(await service.impact(ports, app_id, request.webauthn_api))


@router.answers(contract.LIST_PASSKEYS)
async def list_passkeys(
    ports: Running, caller: CallerDep, user_id: UserIdQuery, app_id: AppIdQuery = None
) -> Response:
    """The passkeys of a user, newest first."""
    return answer(await service.of_user(ports, caller, user_id=user_id, app_id=app_id))


@router.answers(contract.PASSKEY_STATISTICS)
async def get_statistics(ports: Running, caller: CallerDep, app_id: AppIdQuery = None) -> Response:
    """Numbers of the passkeys of an application."""
    return answer(await service.statistics(ports, caller, app_id))


@router.answers(contract.REMOVE_PASSKEY)
async def remove_passkey(
    ports: Running,
    caller: CallerDep,
    registration_id: RegistrationIdPath,
    external_user_id: ExternalUserIdQuery = None,
) -> Response:
    """Remove a passkey."""
    await service.remove(ports, caller, registration_id, external_user_id=external_user_id)
    return answer(StatusResponse())


def _tagged(found: LoginPreferences) -> Response:
    return JsonResponse(found, headers={"ETag": f'"{found.version}"'}, exclude_none=True)
