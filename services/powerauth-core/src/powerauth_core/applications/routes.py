"""HTTP side of the application and configuration calls."""

from powerauth_contracts.rest import applications as contract
from powerauth_core.applications import config_service, service
from powerauth_core.applications.ports import Ports
from powerauth_core.kernel.call_routes import CallRouter

router = CallRouter("Applications")


@router.answers(contract.LIST)
async def list_applications(ports: Ports, _: None) -> contract.ListApplicationsResponse:
    found = await service.list_applications(ports.database)
    return contract.ListApplicationsResponse(applications=[_roles(row.name, row.roles) for row in found])


@router.answers(contract.DETAIL)
async def application_detail(
    ports: Ports, request: contract.ApplicationRequest
) -> contract.ApplicationDetail:
    found = await service.application_detail(ports.database, ports.cipher, request.application_id)
    return contract.ApplicationDetail(
        application_id=found.application.name,
        master_public_key=found.master_public_key,
        application_roles=found.application.roles or [],
        versions=[_version(detail) for detail in found.versions],
    )


@router.answers(contract.DETAIL_VERSION)
async def find_by_key(ports: Ports, request: contract.VersionLookupRequest) -> contract.VersionLookupResponse:
    found = await service.find_by_key(ports.database, ports.application_cache, request.application_key)
    return contract.VersionLookupResponse(application_id=found)


@router.answers(contract.CREATE)
async def create_application(
    ports: Ports, request: contract.CreateApplicationRequest
) -> contract.ApplicationRoles:
    application_id = request.application_id
    await service.create_application(ports, application_id)
    return _roles(application_id, [])


@router.answers(contract.VERSION_CREATE)
async def create_version(ports: Ports, asked: contract.CreateVersionRequest) -> contract.CreatedVersion:
    keys = await service.create_version(
        ports, application_id=asked.application_id, version_id=asked.application_version_id
    )
    return contract.CreatedVersion(
        application_version_id=asked.application_version_id,
        application_key=keys.application_key,
        application_secret=keys.application_secret,
        supported=True,
    )


@router.answers(contract.VERSION_SUPPORT)
async def support_version(ports: Ports, request: contract.VersionRequest) -> contract.VersionSupport:
    return await _supported(ports, request, supported=True)


@router.answers(contract.VERSION_UNSUPPORT)
async def unsupport_version(ports: Ports, request: contract.VersionRequest) -> contract.VersionSupport:
    return await _supported(ports, request, supported=False)


@router.answers(contract.ROLES_LIST)
async def list_roles(ports: Ports, request: contract.ApplicationRequest) -> contract.ApplicationRoles:
    application_id = request.application_id
    return _roles(application_id, await service.list_roles(ports.database, application_id))


@router.answers(contract.ROLES_CREATE)
async def add_roles(ports: Ports, request: contract.RolesRequest) -> contract.ApplicationRoles:
    return await _changed(ports, request, service.added)


@router.answers(contract.ROLES_UPDATE)
async def set_roles(ports: Ports, request: contract.RolesRequest) -> contract.ApplicationRoles:
    return await _changed(ports, request, service.replaced)


@router.answers(contract.ROLES_REMOVE)
async def remove_roles(ports: Ports, request: contract.RolesRequest) -> contract.ApplicationRoles:
    return await _changed(ports, request, service.without)


@router.answers(contract.CONFIG_DETAIL)
async def config_detail(
    ports: Ports, request: contract.ApplicationRequest
) -> contract.ApplicationConfigDetail:
    application_id = request.application_id
    found = await config_service.config_detail(ports.database, ports.cipher, application_id)
    items = [contract.ConfigItem(key=key, values=values) for key, values in found.items()]
    return contract.ApplicationConfigDetail(application_id=application_id, application_configs=items)


@router.answers(contract.CONFIG_CREATE)
async def create_config(ports: Ports, asked: contract.CreateConfigRequest) -> contract.CreatedConfig:
    await config_service.create_config(
        ports, application_id=asked.application_id, key=asked.key, values=asked.values
    )
    return contract.CreatedConfig(application_id=asked.application_id, key=asked.key, values=asked.values)


@router.answers(contract.CONFIG_REMOVE)
async def remove_config(ports: Ports, asked: contract.RemoveConfigRequest) -> None:
    await config_service.remove_config(
        ports.database, ports.application_cache, application_id=asked.application_id, key=asked.key
    )


async def _supported(
    ports: Ports, asked: contract.VersionRequest, *, supported: bool
) -> contract.VersionSupport:
    version_id = asked.application_version_id
    await service.set_supported(
        ports.database,
        ports.application_cache,
        application_id=asked.application_id,
        version_id=version_id,
        supported=supported,
    )
    return contract.VersionSupport(application_version_id=version_id, supported=supported)


async def _changed(
    ports: Ports, asked: contract.RolesRequest, change: service.Change
) -> contract.ApplicationRoles:
    roles = await service.change_roles(
        ports.database,
        ports.application_cache,
        change,
        application_id=asked.application_id,
        roles=asked.application_roles,
    )
    return _roles(asked.application_id, roles)


def _roles(application_id: str, roles: list[str] | None) -> contract.ApplicationRoles:
    return contract.ApplicationRoles(application_id=application_id, application_roles=roles or [])


def _version(detail: service.VersionDetail) -> contract.ApplicationVersionDetail:
    return contract.ApplicationVersionDetail(
        application_version_id=detail.version.name,
        application_key=detail.keys.application_key,
        application_secret=detail.keys.application_secret,
        mobile_sdk_config=detail.sdk_config,
        supported=bool(detail.version.supported),
    )
