"""HTTP of the single-device view (spec/cloud-api.md §4)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from cloud_private_api.parameters import AppIdQuery, ExternalUserIdQuery, QueryBool, UserIdQuery
from cloud_private_api.registrations.ports import Running
from cloud_private_api.registrations.rules import NewRegistration
from cloud_private_api.registrations.v1 import service
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import registrations as contract
from powerauth_contracts.cloud.registrations import (
    ChangeSingleRegistration,
    CommitSingleRegistration,
    CreateSingleRegistration,
)
from powerauth_contracts.wire import StatusResponse

router = CloudRouter("Registrations (single device)")

_OK = StatusResponse()


@router.answers(contract.CREATE_REGISTRATION)
async def create_registration(
    ports: Running,
    caller: CallerDep,
    request: CreateSingleRegistration,
    incomplete_status_check: Annotated[QueryBool, Query(alias="incompleteStatusCheck")] = False,
) -> Response:
    """Start the registration that will replace the user's others."""
    wanted = NewRegistration(
        user_id=request.user_id,
        app_id=request.app_id,
        otp=request.otp,
        commit_phase=request.commit_phase,
        flags=request.flags,
    )
    return answer(
        await service.create(
            ports.database, ports.core, caller, wanted, incomplete_status_check=incomplete_status_check
        )
    )


@router.answers(contract.GET_REGISTRATION)
async def get_registration(
    ports: Running, caller: CallerDep, user_id: UserIdQuery, app_id: AppIdQuery = None
) -> Response:
    """The state of the current registration."""
    return answer(await service.current(ports.core, caller, user_id=user_id, app_id=app_id))


@router.answers(contract.COMMIT_REGISTRATION)
async def commit_registration(
    ports: Running, caller: CallerDep, request: CommitSingleRegistration
) -> Response:
    """Make the current registration ACTIVE."""
    await service.commit(
        ports.database,
        ports.core,
        caller,
        user_id=request.user_id,
        app_id=request.app_id,
        otp=request.otp,
        external_user_id=request.external_user_id,
    )
    return answer(_OK)


@router.answers(contract.CHANGE_REGISTRATION)
async def change_registration(
    ports: Running, caller: CallerDep, request: ChangeSingleRegistration
) -> Response:
    """Block or unblock the current registration."""
    user_id, app_id, who = request.user_id, request.app_id, request.external_user_id
    if request.change == "BLOCK":
        reason = request.blocked_reason
        await service.block(
            ports.core, caller, user_id=user_id, app_id=app_id, reason=reason, external_user_id=who
        )
    else:
        await service.unblock(ports.core, caller, user_id=user_id, app_id=app_id, external_user_id=who)
    return answer(_OK)


@router.answers(contract.REMOVE_REGISTRATION)
async def remove_registration(
    ports: Running,
    caller: CallerDep,
    user_id: UserIdQuery,
    app_id: AppIdQuery = None,
    external_user_id: ExternalUserIdQuery = None,
) -> Response:
    """Remove the current registration."""
    await service.remove(
        ports.core, caller, user_id=user_id, app_id=app_id, external_user_id=external_user_id
    )
    return answer(_OK)
