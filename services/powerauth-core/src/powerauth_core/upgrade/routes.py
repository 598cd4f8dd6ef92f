"""HTTP side of the upgrade calls (spec/core-api.md §14)."""

from powerauth_contracts.rest import upgrade as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.upgrade import service
from powerauth_core.upgrade.ports import Ports

router = CallRouter("Upgrade")


@router.answers(contract.START)
async def start_upgrade(ports: Ports, request: contract.StartUpgradeRequest) -> contract.StartUpgradeResponse:
    return await service.start_upgrade(ports.database, ports.application_cache, request)


@router.answers(contract.COMMIT)
async def commit_upgrade(
    ports: Ports, request: contract.CommitUpgradeRequest
) -> contract.CommitUpgradeResponse:
    return await service.commit_upgrade(ports.database, request)
