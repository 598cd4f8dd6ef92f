"""HTTP of system users (spec/cloud-api.md §11.2)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from cloud_private_api.parameters import AppIdPath
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from cloud_private_api.users import service
from cloud_private_api.users.ports import Running
from powerauth_contracts.cloud import users as contract
from powerauth_contracts.cloud.users import CreateUser, UpdateUser
from powerauth_contracts.wire import StatusResponse

router = CloudRouter("System Users")

UsernamePath = Annotated[str, Path(alias="username")]


@router.answers(contract.CREATE_USER)
async def create_user(ports: Running, caller: CallerDep, request: CreateUser) -> Response:
    """Make a user; the answer holds its password, once."""
    return answer(
        await service.create(ports.database, ports.passwords, caller, request.username, role=request.role)
    )


@router.answers(contract.LIST_USERS)
async def list_users(ports: Running) -> Response:
    """All users by name."""
    return answer(await service.list_all(ports.database))


@router.answers(contract.GET_USER)
async def get_user(ports: Running, username: UsernamePath) -> Response:
    """One user."""
    return answer(await service.detail(ports.database, username))


@router.answers(contract.UPDATE_USER)
async def update_user(
    ports: Running, caller: CallerDep, username: UsernamePath, request: UpdateUser
) -> Response:
    """Enable or disable a user, change its roles."""
    return answer(
        await service.update(
            ports.database, ports.users, caller, username, enabled=request.enabled, role=request.role
        )
    )


@router.answers(contract.DELETE_USER)
async def delete_user(ports: Running, caller: CallerDep, username: UsernamePath) -> Response:
    """Delete a user."""
    await service.delete(ports.database, ports.users, caller, username)
    return answer(StatusResponse())


@router.answers(contract.RENEW_USER_PASSWORD)
async def renew_password(ports: Running, caller: CallerDep, username: UsernamePath) -> Response:
    """Give a user a new password; the answer holds it, once."""
    return answer(await service.renew_password(ports, caller, username))


@router.answers(contract.ASSIGN_USER_APPLICATION)
async def assign_application(
    ports: Running, caller: CallerDep, username: UsernamePath, app_id: AppIdPath
) -> Response:
    """Let a user see an application."""
    return answer(await service.grant(ports, caller, username, app_id))


@router.answers(contract.UNASSIGN_USER_APPLICATION)
async def unassign_application(
    ports: Running, caller: CallerDep, username: UsernamePath, app_id: AppIdPath
) -> Response:
    """Take an application from a user."""
    return answer(await service.revoke(ports.database, ports.users, caller, username, app_id))
