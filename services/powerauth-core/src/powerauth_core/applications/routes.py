"""HTTP side of the application and configuration calls."""

from fastapi import APIRouter

from powerauth_contracts.rest.applications import (
    ApplicationConfigDetail,
    ApplicationDetail,
    ApplicationRequest,
    ApplicationRoles,
    CreateApplicationRequest,
    CreateConfigRequest,
    CreatedConfig,
    CreatedVersion,
    CreateVersionRequest,
    ListApplicationsResponse,
    RemoveConfigRequest,
    RolesRequest,
    VersionLookupRequest,
    VersionLookupResponse,
    VersionRequest,
    VersionSupport,
)
from powerauth_contracts.wire import ObjectRequest, ObjectResponse, StatusResponse
from powerauth_core.applications import config_service, service
from powerauth_core.applications.ports import Running
from powerauth_core.kernel.answers import answer, answer_empty
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/application", tags=["Applications"], route_class=JsonRoute)


@router.post("/list", response_model=ObjectResponse[ListApplicationsResponse])
async def list_applications(ports: Running) -> JsonResponse:
    """All applications."""
    return answer(await service.list_applications(ports.database))


@router.post("/detail", response_model=ObjectResponse[ApplicationDetail])
async def application_detail(request: ObjectRequest[ApplicationRequest], ports: Running) -> JsonResponse:
    """An application with its versions."""
    return answer(await service.application_detail(ports.database, ports.cipher, request.request_object))


@router.post("/detail/version", response_model=ObjectResponse[VersionLookupResponse])
async def find_by_key(request: ObjectRequest[VersionLookupRequest], ports: Running) -> JsonResponse:
    """The application of an application key."""
    return answer(await service.find_by_key(ports.database, ports.application_cache, request.request_object))


@router.post("/create", response_model=ObjectResponse[ApplicationRoles])
async def create_application(
    request: ObjectRequest[CreateApplicationRequest], ports: Running
) -> JsonResponse:
    """Create an application."""
    return answer(await service.create_application(ports, request.request_object))


@router.post("/version/create", response_model=ObjectResponse[CreatedVersion])
async def create_version(request: ObjectRequest[CreateVersionRequest], ports: Running) -> JsonResponse:
    """Create a version of an application."""
    return answer(await service.create_version(ports, request.request_object))


@router.post("/version/support", response_model=ObjectResponse[VersionSupport])
async def support_version(request: ObjectRequest[VersionRequest], ports: Running) -> JsonResponse:
    """Support a version."""
    return answer(
        await service.set_supported(ports.database, ports.application_cache, request.request_object, True)
    )


@router.post("/version/unsupport", response_model=ObjectResponse[VersionSupport])
async def unsupport_version(request: ObjectRequest[VersionRequest], ports: Running) -> JsonResponse:
    """Stop supporting a version."""
    return answer(
        await service.set_supported(ports.database, ports.application_cache, request.request_object, False)
    )


@router.post("/roles/list", response_model=ObjectResponse[ApplicationRoles])
async def list_roles(request: ObjectRequest[ApplicationRequest], ports: Running) -> JsonResponse:
    """The roles of an application."""
    return answer(await service.list_roles(ports.database, request.request_object))


@router.post("/roles/create", response_model=ObjectResponse[ApplicationRoles])
async def add_roles(request: ObjectRequest[RolesRequest], ports: Running) -> JsonResponse:
    """Add roles."""
    return answer(await service.add_roles(ports.database, ports.application_cache, request.request_object))


@router.post("/roles/update", response_model=ObjectResponse[ApplicationRoles])
async def set_roles(request: ObjectRequest[RolesRequest], ports: Running) -> JsonResponse:
    """Replace the roles."""
    return answer(await service.set_roles(ports.database, ports.application_cache, request.request_object))


@router.post("/roles/remove", response_model=ObjectResponse[ApplicationRoles])
async def remove_roles(request: ObjectRequest[RolesRequest], ports: Running) -> JsonResponse:
    """Remove roles."""
    return answer(await service.remove_roles(ports.database, ports.application_cache, request.request_object))


@router.post("/config/detail", response_model=ObjectResponse[ApplicationConfigDetail])
async def config_detail(request: ObjectRequest[ApplicationRequest], ports: Running) -> JsonResponse:
    """The configuration of an application."""
    return answer(await config_service.config_detail(ports.database, ports.cipher, request.request_object))


@router.post("/config/create", response_model=ObjectResponse[CreatedConfig])
async def create_config(request: ObjectRequest[CreateConfigRequest], ports: Running) -> JsonResponse:
    """Set all values of a configuration key."""
    return answer(await config_service.create_config(ports, request.request_object))


@router.post("/config/remove", response_model=StatusResponse)
async def remove_config(request: ObjectRequest[RemoveConfigRequest], ports: Running) -> JsonResponse:
    """Remove a configuration key."""
    await config_service.remove_config(ports.database, ports.application_cache, request.request_object)
    return answer_empty()
