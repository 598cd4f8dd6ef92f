"""HTTP side of the integration calls."""

from powerauth_contracts.rest import integrations as contract
from powerauth_core.integrations import service
from powerauth_core.integrations.models import Integration
from powerauth_core.integrations.ports import Ports
from powerauth_core.kernel.call_routes import CallRouter

router = CallRouter("Integrations")


@router.answers(contract.CREATE)
async def create_integration(
    ports: Ports, asked: contract.CreateIntegrationRequest
) -> contract.IntegrationDetail:
    made = await service.create_integration(ports.database, ports.cipher, asked.name, asked.kind)
    return _detail(*made)


@router.answers(contract.LIST)
async def list_integrations(ports: Ports, _: None) -> contract.ListIntegrationsResponse:
    found = await service.list_integrations(ports.database, ports.cipher)
    items = [_detail(row, credentials) for row, credentials in found]
    return contract.ListIntegrationsResponse(restricted_access=ports.settings.restrict_access, items=items)


@router.answers(contract.REMOVE)
async def remove_integration(
    ports: Ports, request: contract.RemoveIntegrationRequest
) -> contract.RemoveIntegrationResponse:
    integration_id = request.id
    removed = await service.remove_integration(ports.database, ports.callers, integration_id)
    return contract.RemoveIntegrationResponse(id=integration_id, removed=removed)


def _detail(row: Integration, credentials: service.Credentials) -> contract.IntegrationDetail:
    return contract.IntegrationDetail(
        id=row.id,
        name=row.name,
        client_token=credentials.client_token,
        client_secret=credentials.client_secret,
    )
