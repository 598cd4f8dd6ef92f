"""HTTP side of the upgrade calls (spec/core-api.md §14)."""

from powerauth_contracts.rest import upgrade as contract
from powerauth_core.envelopes.views import closed_envelope
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
        closed=closed_envelope(asked, asked.application_key, asked.protocol_version),
        scope=asked.application_ids,
    )


@router.answers(contract.COMMIT)
async def commit_upgrade(
    ports: Ports, asked: contract.CommitUpgradeRequest
) -> contract.CommitUpgradeResponse:
    await service.commit(ports.database, asked.activation_id, asked.application_ids)
