"""HTTP of application administration (spec/cloud-api.md §11.3, §11.6)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from pydantic import RootModel
from starlette.responses import Response

from cloud_private_api.applications import config_service, service
from cloud_private_api.applications.ports import Running
from cloud_private_api.errors import InvalidRequest, Violation
from cloud_private_api.parameters import AppIdPath
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import applications as contract
from powerauth_contracts.cloud.applications import (
    ConfigValues,
    CreateApplication,
    CreateVersion,
    OidcProvider,
    Roles,
    UpdateVersion,
)
from powerauth_contracts.wire import StatusResponse

router = CloudRouter("Applications")

NamePath = Annotated[str, Path(alias="name")]
KeyPath = Annotated[str, Path(alias="key")]
ProviderIdPath = Annotated[str, Path(alias="providerId")]
Provider = RootModel[dict[str, Any]]


@router.answers(contract.CREATE_APPLICATION)
async def create_application(ports: Running, caller: CallerDep, request: CreateApplication) -> Response:
    """Make an application."""
    return answer(await service.create(ports, caller, request.id, roles=request.roles))


@router.answers(contract.LIST_APPLICATIONS)
async def list_applications(ports: Running) -> Response:
    """All applications."""
    return answer(await service.list_all(ports))


@router.answers(contract.GET_APPLICATION)
async def get_application(ports: Running, app_id: AppIdPath) -> Response:
    """One application with what the mobile app needs of it."""
    return answer(await service.detail(ports, app_id))


@router.answers(contract.LIST_APPLICATION_VERSIONS)
async def list_versions(ports: Running, app_id: AppIdPath) -> Response:
    """The versions of an application."""
    return answer(await service.versions(ports, app_id))


@router.answers(contract.CREATE_APPLICATION_VERSION)
async def create_version(
    ports: Running, caller: CallerDep, app_id: AppIdPath, request: CreateVersion
) -> Response:
    """Make a version."""
    return answer(await service.create_version(ports, caller, app_id, request.name))


@router.answers(contract.UPDATE_APPLICATION_VERSION)
async def update_version(
    ports: Running, caller: CallerDep, app_id: AppIdPath, name: NamePath, request: UpdateVersion
) -> Response:
    """Support a version, or not any more."""
    return answer(await service.support_version(ports, caller, app_id, name, supported=request.supported))


@router.answers(contract.GET_APPLICATION_ROLES)
async def get_roles(ports: Running, app_id: AppIdPath) -> Response:
    """The roles of an application."""
    return answer(Roles(roles=await service.roles(ports, app_id)))


@router.answers(contract.UPDATE_APPLICATION_ROLES)
async def replace_roles(ports: Running, caller: CallerDep, app_id: AppIdPath, request: Roles) -> Response:
    """Give an application exactly these roles."""
    return answer(Roles(roles=await service.replace_roles(ports, caller, app_id, request.roles)))


@router.answers(contract.GET_APPLICATION_CONFIG)
async def get_config(ports: Running, app_id: AppIdPath) -> Response:
    """The configuration of an application."""
    return answer(await config_service.detail(ports, app_id))


@router.answers(contract.UPDATE_APPLICATION_CONFIG)
async def put_config(
    ports: Running, caller: CallerDep, app_id: AppIdPath, key: KeyPath, request: ConfigValues
) -> Response:
    """Insert or replace one configuration key."""
    return answer(await config_service.put(ports, caller, app_id, key, request.values))


@router.answers(contract.REMOVE_APPLICATION_CONFIG)
async def remove_config(ports: Running, caller: CallerDep, app_id: AppIdPath, key: KeyPath) -> Response:
    """Remove one configuration key."""
    await config_service.remove(ports, caller, app_id, key)
    return answer(StatusResponse())


@router.answers(contract.LIST_OIDC_PROVIDERS)
async def list_providers(ports: Running, app_id: AppIdPath) -> Response:
    """The OIDC providers of an application."""
    return answer(await config_service.providers(ports, app_id))


@router.answers(contract.GET_OIDC_PROVIDER)
async def get_provider(ports: Running, app_id: AppIdPath, provider_id: ProviderIdPath) -> Response:
    """One OIDC provider."""
    return answer(Provider(await config_service.provider(ports, app_id, provider_id)))


@router.answers(contract.UPDATE_OIDC_PROVIDER)
async def put_provider(
    ports: Running,
    caller: CallerDep,
    app_id: AppIdPath,
    provider_id: ProviderIdPath,
    request: OidcProvider,
) -> Response:
    """Insert or replace one OIDC provider."""
    if request.provider_id != provider_id:
        raise InvalidRequest(Violation("providerId", "must be that of the path", request.provider_id))
    provider = request.model_dump(exclude_none=True)
    return answer(Provider(await config_service.put_provider(ports, caller, app_id, provider)))


@router.answers(contract.REMOVE_OIDC_PROVIDER)
async def remove_provider(
    ports: Running, caller: CallerDep, app_id: AppIdPath, provider_id: ProviderIdPath
) -> Response:
    """Remove one OIDC provider."""
    await config_service.remove_provider(ports, caller, app_id, provider_id)
    return answer(StatusResponse())
