"""HTTP side of the activation calls (spec/core-api.md §7)."""

from powerauth_contracts.rest import activation_administration as admin_contract
from powerauth_contracts.rest import activations as contract
from powerauth_core.activations import administration, flags, initialisation, listing, status
from powerauth_core.activations import commit as committing
from powerauth_core.activations.ports import Ports
from powerauth_core.kernel.call_routes import CallRouter

router = CallRouter("Activations")


@router.answers(contract.INIT)
async def init(ports: Ports, request: contract.InitActivationRequest) -> contract.InitActivationResponse:
    return await initialisation.init_activation(ports, request)


@router.answers(contract.COMMIT)
async def commit(
    ports: Ports, request: contract.CommitActivationRequest
) -> contract.CommitActivationResponse:
    return await committing.commit_activation(ports, request)


@router.answers(contract.OTP_UPDATE)
async def update_otp(ports: Ports, request: contract.UpdateOtpRequest) -> contract.UpdateOtpResponse:
    return await committing.update_otp(ports, request)


@router.answers(contract.STATUS)
async def get_status(
    ports: Ports, request: contract.ActivationStatusRequest
) -> contract.ActivationStatusResponse:
    return await status.get_status(ports, request)


@router.answers(admin_contract.LIST)
async def list_activations(
    ports: Ports, request: admin_contract.ListActivationsRequest
) -> admin_contract.ListActivationsResponse:
    return await listing.list_activations(ports, request)


@router.answers(admin_contract.LOOKUP)
async def look_up(
    ports: Ports, request: admin_contract.LookupActivationsRequest
) -> admin_contract.LookupActivationsResponse:
    return await listing.look_up_activations(ports.database, request)


@router.answers(admin_contract.HISTORY)
async def get_history(
    ports: Ports, request: admin_contract.ActivationHistoryRequest
) -> admin_contract.ActivationHistoryResponse:
    return await listing.get_history(ports.database, request)


@router.answers(admin_contract.STATUS_UPDATE)
async def update_status(
    ports: Ports, request: admin_contract.UpdateStatusRequest
) -> admin_contract.UpdateStatusResponse:
    return await administration.update_status(ports.database, ports.changes, request)


@router.answers(admin_contract.BLOCK)
async def block(
    ports: Ports, request: admin_contract.BlockActivationRequest
) -> admin_contract.BlockActivationResponse:
    return await administration.block_activation(ports.database, ports.changes, request)


@router.answers(admin_contract.UNBLOCK)
async def unblock(
    ports: Ports, request: admin_contract.UnblockActivationRequest
) -> admin_contract.UnblockActivationResponse:
    return await administration.unblock_activation(ports.database, ports.changes, request)


@router.answers(admin_contract.REMOVE)
async def remove(
    ports: Ports, request: admin_contract.RemoveActivationRequest
) -> admin_contract.RemoveActivationResponse:
    return await administration.remove_activation(ports.database, ports.changes, request)


@router.answers(admin_contract.NAME_UPDATE)
async def rename(
    ports: Ports, request: admin_contract.RenameActivationRequest
) -> admin_contract.RenameActivationResponse:
    return await administration.rename_activation(ports.database, ports.changes, request)


@router.answers(admin_contract.FLAGS_LIST)
async def list_flags(ports: Ports, request: admin_contract.ListFlagsRequest) -> admin_contract.FlagsResponse:
    return await flags.list_flags(ports.database, request)


@router.answers(admin_contract.FLAGS_CREATE)
async def add_flags(ports: Ports, request: admin_contract.ChangeFlagsRequest) -> admin_contract.FlagsResponse:
    return await flags.add_flags(ports.database, ports.application_cache, request)


@router.answers(admin_contract.FLAGS_UPDATE)
async def replace_flags(
    ports: Ports, request: admin_contract.ChangeFlagsRequest
) -> admin_contract.FlagsResponse:
    return await flags.replace_flags(ports.database, ports.application_cache, request)


@router.answers(admin_contract.FLAGS_REMOVE)
async def remove_flags(
    ports: Ports, request: admin_contract.ChangeFlagsRequest
) -> admin_contract.FlagsResponse:
    return await flags.remove_flags(ports.database, ports.application_cache, request)
