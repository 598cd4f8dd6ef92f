"""HTTP of the clients and keys of signed tokens (spec/device-trust.md §2.5, §2.6)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from cloud_private_api.parameters import AppIdPath
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from cloud_private_api.signed_tokens import clients, keys
from cloud_private_api.signed_tokens.ports import Running
from powerauth_contracts.cloud import signed_tokens as contract
from powerauth_contracts.cloud.signed_tokens import (
    CreateOidcClient,
    CreateSigningKey,
    SaveOidcClient,
    UpdateSigningKey,
    UploadSigningKey,
)
from powerauth_contracts.wire import StatusResponse

router = CloudRouter("Signed Tokens")

ClientIdPath = Annotated[str, Path(alias="clientId")]
KeyIdPath = Annotated[str, Path(alias="keyId")]


@router.answers(contract.LIST_OIDC_CLIENTS)
async def list_clients(ports: Running, app_id: AppIdPath) -> Response:
    """The clients of an application."""
    return answer(await clients.list_all(ports, app_id))


@router.answers(contract.CREATE_OIDC_CLIENT)
async def create_client(
    ports: Running, caller: CallerDep, app_id: AppIdPath, request: CreateOidcClient
) -> Response:
    """Make a client."""
    return answer(await clients.create(ports, caller, app_id, request.model_dump(exclude_none=True)))


@router.answers(contract.GET_OIDC_CLIENT)
async def get_client(ports: Running, app_id: AppIdPath, client_id: ClientIdPath) -> Response:
    """One client."""
    return answer(await clients.detail(ports, app_id, client_id))


@router.answers(contract.UPDATE_OIDC_CLIENT)
async def update_client(
    ports: Running, caller: CallerDep, app_id: AppIdPath, client_id: ClientIdPath, request: SaveOidcClient
) -> Response:
    """Replace what a client is allowed."""
    members = request.model_dump(exclude_none=True)
    return answer(await clients.update(ports, caller, app_id, client_id, members))


@router.answers(contract.REMOVE_OIDC_CLIENT)
async def remove_client(
    ports: Running, caller: CallerDep, app_id: AppIdPath, client_id: ClientIdPath
) -> Response:
    """Remove a client, and take back what was issued to it."""
    await clients.remove(ports, caller, app_id, client_id)
    return answer(StatusResponse())


@router.answers(contract.RENEW_OIDC_CLIENT_SECRET)
async def renew_client_secret(
    ports: Running, caller: CallerDep, app_id: AppIdPath, client_id: ClientIdPath
) -> Response:
    """Give a client another secret."""
    return answer(await clients.renew_secret(ports, caller, app_id, client_id))


@router.answers(contract.LIST_APPLICATION_SIGNING_KEYS)
async def list_application_keys(ports: Running, app_id: AppIdPath) -> Response:
    """The keys of an application."""
    return answer(await keys.list_all(ports, app_id))


@router.answers(contract.CREATE_APPLICATION_SIGNING_KEY)
async def create_application_key(
    ports: Running, caller: CallerDep, app_id: AppIdPath, request: CreateSigningKey
) -> Response:
    """Make a key that signs next."""
    return answer(await keys.create(ports, caller, app_id, request.name))


@router.answers(contract.UPLOAD_APPLICATION_SIGNING_KEY)
async def upload_application_key(
    ports: Running, caller: CallerDep, app_id: AppIdPath, request: UploadSigningKey
) -> Response:
    """Take a key that was made elsewhere."""
    return answer(await keys.upload(ports, caller, app_id, request.name, request.jwk))


@router.answers(contract.UPDATE_APPLICATION_SIGNING_KEY)
async def update_application_key(
    ports: Running, caller: CallerDep, app_id: AppIdPath, key_id: KeyIdPath, request: UpdateSigningKey
) -> Response:
    """Give a key another state or name."""
    status, name = request.status, request.name
    return answer(await keys.update(ports, caller, app_id, key_id, status=status, name=name))


@router.answers(contract.REMOVE_APPLICATION_SIGNING_KEY)
async def remove_application_key(
    ports: Running, caller: CallerDep, app_id: AppIdPath, key_id: KeyIdPath
) -> Response:
    """Delete a disabled key."""
    await keys.remove(ports, caller, app_id, key_id)
    return answer(StatusResponse())


@router.answers(contract.LIST_SIGNING_KEYS)
async def list_keys(ports: Running) -> Response:
    """The keys of all applications without their own."""
    return answer(await keys.list_all(ports, None))


@router.answers(contract.CREATE_SIGNING_KEY)
async def create_key(ports: Running, caller: CallerDep, request: CreateSigningKey) -> Response:
    """Make a key that signs next."""
    return answer(await keys.create(ports, caller, None, request.name))


@router.answers(contract.UPLOAD_SIGNING_KEY)
async def upload_key(ports: Running, caller: CallerDep, request: UploadSigningKey) -> Response:
    """Take a key that was made elsewhere."""
    return answer(await keys.upload(ports, caller, None, request.name, request.jwk))


@router.answers(contract.UPDATE_SIGNING_KEY)
async def update_key(
    ports: Running, caller: CallerDep, key_id: KeyIdPath, request: UpdateSigningKey
) -> Response:
    """Give a key another state or name."""
    status, name = request.status, request.name
    return answer(await keys.update(ports, caller, None, key_id, status=status, name=name))


@router.answers(contract.REMOVE_SIGNING_KEY)
async def remove_key(ports: Running, caller: CallerDep, key_id: KeyIdPath) -> Response:
    """Delete a disabled key."""
    await keys.remove(ports, caller, None, key_id)
    return answer(StatusResponse())
