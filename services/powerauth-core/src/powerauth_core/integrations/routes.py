"""HTTP side of the integration calls."""

from fastapi import APIRouter

from powerauth_contracts.rest.integrations import (
    CreateIntegrationRequest,
    IntegrationDetail,
    ListIntegrationsResponse,
    RemoveIntegrationRequest,
    RemoveIntegrationResponse,
)
from powerauth_contracts.wire import ObjectRequest, ObjectResponse
from powerauth_core.integrations import service
from powerauth_core.integrations.ports import Running
from powerauth_core.kernel.answers import answer
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/integration", tags=["Integrations"], route_class=JsonRoute)


@router.post("/create", response_model=ObjectResponse[IntegrationDetail])
async def create_integration(
    request: ObjectRequest[CreateIntegrationRequest], ports: Running
) -> JsonResponse:
    """Create an integration."""
    return answer(await service.create_integration(ports.database, ports.cipher, request.request_object))


@router.post("/list", response_model=ObjectResponse[ListIntegrationsResponse])
async def list_integrations(ports: Running) -> JsonResponse:
    """The integrations that may call this door."""
    return answer(await service.list_integrations(ports))


@router.post("/remove", response_model=ObjectResponse[RemoveIntegrationResponse])
async def remove_integration(
    request: ObjectRequest[RemoveIntegrationRequest], ports: Running
) -> JsonResponse:
    """Remove an integration."""
    return answer(await service.remove_integration(ports.database, ports.callers, request.request_object))
