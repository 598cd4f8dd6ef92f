"""HTTP side of the upgrade calls (spec/core-api.md §14)."""

from powerauth_contracts.rest import upgrade as contract
from powerauth_core.envelopes.service import members_of
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.upgrade import service
from powerauth_core.upgrade.ports import Ports

router = CallRouter("Upgrade")


@router.answers(contract.START)
async def start_upgrade(ports: Ports, asked: contract.StartUpgradeRequest) -> contract.StartUpgradeResponse:
    await service.start(
        ports.database,
        ports.application_cache,
        activation_id=asked.activation_id,
        application_key=asked.application_key,
        version=asked.protocol_version,
        members=members_of(asked),
        scope=asked.application_ids,
    )


@router.answers(contract.COMMIT)
async def commit_upgrade(
    ports: Ports, asked: contract.CommitUpgradeRequest
) -> contract.CommitUpgradeResponse:
    await service.commit(ports.database, asked.activation_id, asked.application_ids)
