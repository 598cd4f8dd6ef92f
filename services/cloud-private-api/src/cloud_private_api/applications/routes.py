"""HTTP of application administration (spec/cloud-api.md §11.3, §11.6)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from pydantic import RootModel
from starlette.responses import Response

from cloud_private_api.applications import config_service, service
from cloud_private_api.applications.ports import Running
from cloud_private_api.callers import CallerDep
from cloud_private_api.parameters import AppIdPath
from cloud_private_api.routing import answer, cloud_router
from powerauth_contracts.cloud.applications import (
    Application,
    Applications,
    ConfigItem,
    ConfigItems,
    ConfigValues,
    CreateApplication,
    CreateVersion,
    OidcProvider,
    OidcProviders,
    Roles,
    UpdateVersion,
    Version,
    Versions,
)
from powerauth_contracts.wire import StatusResponse

router = cloud_router("Applications")

NamePath = Annotated[str, Path(alias="name")]
KeyPath = Annotated[str, Path(alias="key")]
ProviderIdPath = Annotated[str, Path(alias="providerId")]
Provider = RootModel[dict[str, Any]]


@router.post("/admin/applications", operation_id="createApplication", response_model=Application)
async def create_application(ports: Running, caller: CallerDep, request: CreateApplication) -> Response:
    """Make an application."""
    return answer(await service.create(ports, caller, request))


@router.get("/admin/applications", operation_id="listApplications", response_model=Applications)
async def list_applications(ports: Running) -> Response:
    """All applications."""
    return answer(await service.list_all(ports))


@router.get("/admin/applications/{appId}", operation_id="getApplication", response_model=Application)
async def get_application(ports: Running, app_id: AppIdPath) -> Response:
    """One application with what the mobile app needs of it."""
    return answer(await service.detail(ports, app_id))


@router.get(
    "/admin/applications/{appId}/versions", operation_id="listApplicationVersions", response_model=Versions
)
async def list_versions(ports: Running, app_id: AppIdPath) -> Response:
    """The versions of an application."""
    return answer(await service.versions(ports, app_id))


@router.post(
    "/admin/applications/{appId}/versions", operation_id="createApplicationVersion", response_model=Version
)
async def create_version(
    ports: Running, caller: CallerDep, app_id: AppIdPath, request: CreateVersion
) -> Response:
    """Make a version."""
    return answer(await service.create_version(ports, caller, app_id, request.name))


@router.put(
    "/admin/applications/{appId}/versions/{name}",
    operation_id="updateApplicationVersion",
    response_model=Version,
)
async def update_version(
    ports: Running, caller: CallerDep, app_id: AppIdPath, name: NamePath, request: UpdateVersion
) -> Response:
    """Support a version, or not any more."""
    return answer(await service.support_version(ports, caller, app_id, name, supported=request.supported))


@router.get("/admin/applications/{appId}/roles", operation_id="getApplicationRoles", response_model=Roles)
async def get_roles(ports: Running, app_id: AppIdPath) -> Response:
    """The roles of an application."""
    return answer(await service.roles(ports, app_id))


@router.put("/admin/applications/{appId}/roles", operation_id="updateApplicationRoles", response_model=Roles)
async def replace_roles(ports: Running, caller: CallerDep, app_id: AppIdPath, request: Roles) -> Response:
    """Give an application exactly these roles."""
    return answer(await service.replace_roles(ports, caller, app_id, request.roles))


@router.get(
    "/admin/applications/{appId}/config", operation_id="getApplicationConfig", response_model=ConfigItems
)
async def get_config(ports: Running, app_id: AppIdPath) -> Response:
    """The configuration of an application."""
    return answer(await config_service.detail(ports, app_id))


@router.put(
    "/admin/applications/{appId}/config/{key}",
    operation_id="updateApplicationConfig",
    response_model=ConfigItem,
)
async def put_config(
    ports: Running, caller: CallerDep, app_id: AppIdPath, key: KeyPath, request: ConfigValues
) -> Response:
    """Insert or replace one configuration key."""
    return answer(await config_service.put(ports, caller, app_id, key, request.values))


@router.delete(
    "/admin/applications/{appId}/config/{key}",
    operation_id="removeApplicationConfig",
    response_model=StatusResponse,
)
async def remove_config(ports: Running, caller: CallerDep, app_id: AppIdPath, key: KeyPath) -> Response:
    """Remove one configuration key."""
    await config_service.remove(ports, caller, app_id, key)
    return answer(StatusResponse())


@router.get(
    "/admin/applications/{appId}/oidc-providers",
    operation_id="listOidcProviders",
    response_model=OidcProviders,
)
async def list_providers(ports: Running, app_id: AppIdPath) -> Response:
    """The OIDC providers of an application."""
    return answer(await config_service.providers(ports, app_id))


@router.get(
    "/admin/applications/{appId}/oidc-providers/{providerId}",
    operation_id="getOidcProvider",
    response_model=OidcProvider,
)
async def get_provider(ports: Running, app_id: AppIdPath, provider_id: ProviderIdPath) -> Response:
    """One OIDC provider."""
    return answer(Provider(await config_service.provider(ports, app_id, provider_id)))


@router.put(
    "/admin/applications/{appId}/oidc-providers/{providerId}",
    operation_id="updateOidcProvider",
    response_model=OidcProvider,
)
async def put_provider(
    ports: Running,
    caller: CallerDep,
    app_id: AppIdPath,
    provider_id: ProviderIdPath,
    request: OidcProvider,
) -> Response:
    """Insert or replace one OIDC provider."""
    return answer(Provider(await config_service.put_provider(ports, caller, app_id, provider_id, request)))


@router.delete(
    "/admin/applications/{appId}/oidc-providers/{providerId}",
    operation_id="removeOidcProvider",
    response_model=StatusResponse,
)
async def remove_provider(
    ports: Running, caller: CallerDep, app_id: AppIdPath, provider_id: ProviderIdPath
) -> Response:
    """Remove one OIDC provider."""
    await config_service.remove_provider(ports, caller, app_id, provider_id)
    return answer(StatusResponse())
