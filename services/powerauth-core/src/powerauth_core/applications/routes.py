"""HTTP side of the application and configuration calls."""

from powerauth_contracts.rest import applications as contract
from powerauth_core.applications import config_service, service
from powerauth_core.applications.ports import Ports
from powerauth_core.kernel.call_routes import CallRouter

router = CallRouter("Applications")


@router.answers(contract.LIST)
async def list_applications(ports: Ports, _: None) -> contract.ListApplicationsResponse:
    return await service.list_applications(ports.database)


@router.answers(contract.DETAIL)
async def application_detail(
    ports: Ports, request: contract.ApplicationRequest
) -> contract.ApplicationDetail:
    return await service.application_detail(ports.database, ports.cipher, request)


@router.answers(contract.DETAIL_VERSION)
async def find_by_key(ports: Ports, request: contract.VersionLookupRequest) -> contract.VersionLookupResponse:
    return await service.find_by_key(ports.database, ports.application_cache, request)


@router.answers(contract.CREATE)
async def create_application(
    ports: Ports, request: contract.CreateApplicationRequest
) -> contract.ApplicationRoles:
    return await service.create_application(ports, request)


@router.answers(contract.VERSION_CREATE)
async def create_version(ports: Ports, request: contract.CreateVersionRequest) -> contract.CreatedVersion:
    return await service.create_version(ports, request)


@router.answers(contract.VERSION_SUPPORT)
async def support_version(ports: Ports, request: contract.VersionRequest) -> contract.VersionSupport:
    return await service.set_supported(ports.database, ports.application_cache, request, True)


@router.answers(contract.VERSION_UNSUPPORT)
async def unsupport_version(ports: Ports, request: contract.VersionRequest) -> contract.VersionSupport:
    return await service.set_supported(ports.database, ports.application_cache, request, False)


@router.answers(contract.ROLES_LIST)
async def list_roles(ports: Ports, request: contract.ApplicationRequest) -> contract.ApplicationRoles:
    return await service.list_roles(ports.database, request)


@router.answers(contract.ROLES_CREATE)
async def add_roles(ports: Ports, request: contract.RolesRequest) -> contract.ApplicationRoles:
    return await service.add_roles(ports.database, ports.application_cache, request)


@router.answers(contract.ROLES_UPDATE)
async def set_roles(ports: Ports, request: contract.RolesRequest) -> contract.ApplicationRoles:
    return await service.set_roles(ports.database, ports.application_cache, request)


@router.answers(contract.ROLES_REMOVE)
async def remove_roles(ports: Ports, request: contract.RolesRequest) -> contract.ApplicationRoles:
    return await service.remove_roles(ports.database, ports.application_cache, request)


@router.answers(contract.CONFIG_DETAIL)
async def config_detail(
    ports: Ports, request: contract.ApplicationRequest
) -> contract.ApplicationConfigDetail:
    return await config_service.config_detail(ports.database, ports.cipher, request)


@router.answers(contract.CONFIG_CREATE)
async def create_config(ports: Ports, request: contract.CreateConfigRequest) -> contract.CreatedConfig:
    return await config_service.create_config(ports, request)


@router.answers(contract.CONFIG_REMOVE)
async def remove_config(ports: Ports, request: contract.RemoveConfigRequest) -> None:
    await config_service.remove_config(ports.database, ports.application_cache, request)
