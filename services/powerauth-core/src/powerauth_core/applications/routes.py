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
from powerauth_core.container import CoreDependency
from powerauth_core.kernel.answers import answer, answer_empty
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/application", tags=["Applications"], route_class=JsonRoute)


@router.post("/list", response_model=ObjectResponse[ListApplicationsResponse])
async def list_applications(core: CoreDependency) -> JsonResponse:
    """All applications."""
    return answer(await service.list_applications(core))


@router.post("/detail", response_model=ObjectResponse[ApplicationDetail])
async def application_detail(
    request: ObjectRequest[ApplicationRequest], core: CoreDependency
) -> JsonResponse:
    """An application with its versions."""
    return answer(await service.application_detail(core, request.request_object))


@router.post("/detail/version", response_model=ObjectResponse[VersionLookupResponse])
async def find_by_key(request: ObjectRequest[VersionLookupRequest], core: CoreDependency) -> JsonResponse:
    """The application of an application key."""
    return answer(await service.find_by_key(core, request.request_object))


@router.post("/create", response_model=ObjectResponse[ApplicationRoles])
async def create_application(
    request: ObjectRequest[CreateApplicationRequest], core: CoreDependency
) -> JsonResponse:
    """Create an application."""
    return answer(await service.create_application(core, request.request_object))


@router.post("/version/create", response_model=ObjectResponse[CreatedVersion])
async def create_version(request: ObjectRequest[CreateVersionRequest], core: CoreDependency) -> JsonResponse:
    """Create a version of an application."""
    return answer(await service.create_version(core, request.request_object))


@router.post("/version/support", response_model=ObjectResponse[VersionSupport])
async def support_version(request: ObjectRequest[VersionRequest], core: CoreDependency) -> JsonResponse:
    """Support a version."""
    return answer(await service.set_supported(core, request.request_object, True))


@router.post("/version/unsupport", response_model=ObjectResponse[VersionSupport])
async def unsupport_version(request: ObjectRequest[VersionRequest], core: CoreDependency) -> JsonResponse:
    """Stop supporting a version."""
    return answer(await service.set_supported(core, request.request_object, False))


@router.post("/roles/list", response_model=ObjectResponse[ApplicationRoles])
async def list_roles(request: ObjectRequest[ApplicationRequest], core: CoreDependency) -> JsonResponse:
    """The roles of an application."""
    return answer(await service.list_roles(core, request.request_object))


@router.post("/roles/create", response_model=ObjectResponse[ApplicationRoles])
async def add_roles(request: ObjectRequest[RolesRequest], core: CoreDependency) -> JsonResponse:
    """Add roles."""
    return answer(await service.add_roles(core, request.request_object))


@router.post("/roles/update", response_model=ObjectResponse[ApplicationRoles])
async def set_roles(request: ObjectRequest[RolesRequest], core: CoreDependency) -> JsonResponse:
    """Replace the roles."""
    return answer(await service.set_roles(core, request.request_object))


@router.post("/roles/remove", response_model=ObjectResponse[ApplicationRoles])
async def remove_roles(request: ObjectRequest[RolesRequest], core: CoreDependency) -> JsonResponse:
    """Remove roles."""
    return answer(await service.remove_roles(core, request.request_object))


@router.post("/config/detail", response_model=ObjectResponse[ApplicationConfigDetail])
async def config_detail(request: ObjectRequest[ApplicationRequest], core: CoreDependency) -> JsonResponse:
    """The configuration of an application."""
    return answer(await config_service.config_detail(core, request.request_object))


@router.post("/config/create", response_model=ObjectResponse[CreatedConfig])
async def create_config(request: ObjectRequest[CreateConfigRequest], core: CoreDependency) -> JsonResponse:
    """Set all values of a configuration key."""
    return answer(await config_service.create_config(core, request.request_object))


@router.post("/config/remove", response_model=StatusResponse)
async def remove_config(request: ObjectRequest[RemoveConfigRequest], core: CoreDependency) -> JsonResponse:
    """Remove a configuration key."""
    await config_service.remove_config(core, request.request_object)
    return answer_empty()
