"""HTTP side of the integration calls."""

from powerauth_contracts.rest import integrations as contract
from powerauth_core.integrations import service
from powerauth_core.integrations.ports import Ports
from powerauth_core.kernel.call_routes import CallRouter

router = CallRouter("Integrations")


@router.answers(contract.CREATE)
async def create_integration(
    ports: Ports, request: contract.CreateIntegrationRequest
) -> contract.IntegrationDetail:
    return await service.create_integration(ports.database, ports.cipher, request)


@router.answers(contract.LIST)
async def list_integrations(ports: Ports, _: None) -> contract.ListIntegrationsResponse:
    return await service.list_integrations(ports)


@router.answers(contract.REMOVE)
async def remove_integration(
    ports: Ports, request: contract.RemoveIntegrationRequest
) -> contract.RemoveIntegrationResponse:
    return await service.remove_integration(ports.database, ports.callers, request)
