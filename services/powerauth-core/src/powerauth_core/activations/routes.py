"""HTTP side of the activation calls (spec/core-api.md §7)."""

from powerauth_contracts.enums import ActivationProtocol
from powerauth_contracts.rest import activation_administration as admin_contract
from powerauth_contracts.rest import activations as contract
from powerauth_core.activations import administration, flags, initialisation, listing, status
from powerauth_core.activations import commit as committing
from powerauth_core.activations.ports import ListingPorts, Ports, ReadingPorts, WritingPorts
from powerauth_core.activations.views import activation_item, history_item, status_answer
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.kernel.paging import wanted_page

router = CallRouter("Activations")


@router.answers(contract.INIT)
async def init(ports: WritingPorts, asked: contract.InitActivationRequest) -> contract.InitActivationResponse:
    started = await initialisation.init_activation(
        ports,
        user_id=asked.user_id,
        application_id=asked.application_id,
        scope=asked.application_ids,
        protocol=asked.protocol,
        expires=asked.timestamp_activation_expire,
        max_failure_count=asked.max_failure_count,
        otp=asked.activation_otp,
        otp_validation=asked.activation_otp_validation,
        commit_phase=asked.commit_phase,
        flags=asked.flags or (),
        additional_data=asked.additional_data,
    )
    return contract.InitActivationResponse(
        activation_id=started.activation_id,
        activation_code=started.activation_code,
        activation_signature=started.activation_signature,
        user_id=asked.user_id,
        application_id=asked.application_id,
    )


@router.answers(contract.COMMIT)
async def commit(
    ports: WritingPorts, asked: contract.CommitActivationRequest
) -> contract.CommitActivationResponse:
    await committing.commit_activation(
        ports,
        activation_id=asked.activation_id,
        otp=asked.activation_otp,
        external_user_id=asked.external_user_id,
        scope=asked.application_ids,
    )
    return contract.CommitActivationResponse(activation_id=asked.activation_id, activated=True)


@router.answers(contract.OTP_UPDATE)
async def update_otp(ports: Ports, asked: contract.UpdateOtpRequest) -> contract.UpdateOtpResponse:
    await committing.update_otp(
        ports,
        activation_id=asked.activation_id,
        otp=asked.activation_otp,
        external_user_id=asked.external_user_id,
        scope=asked.application_ids,
    )
    return contract.UpdateOtpResponse(activation_id=asked.activation_id, updated=True)


@router.answers(contract.STATUS)
async def get_status(
    ports: ReadingPorts, asked: contract.ActivationStatusRequest
) -> contract.ActivationStatusResponse:
    found = await status.find_status(
        ports, activation_id=asked.activation_id, challenge=asked.challenge, scope=asked.application_ids
    )
    return status_answer(found, ports.activation_keys, ports.settings.signature_max_failed_attempts)


@router.answers(admin_contract.LIST)
async def list_activations(
    ports: ReadingPorts, asked: admin_contract.ListActivationsRequest
) -> admin_contract.ListActivationsResponse:
    found = await listing.list_activations(
        ports,
        user_id=asked.user_id,
        application_id=asked.application_id,
        protocols=asked.protocols or ActivationProtocol,
        statuses=asked.activation_statuses or (),
        page=wanted_page(ports.settings, asked.page_number, asked.page_size),
        scope=asked.application_ids,
    )
    return admin_contract.ListActivationsResponse(
        user_id=asked.user_id, activations=[activation_item(row, name) for row, name in found]
    )


@router.answers(admin_contract.LOOKUP)
async def look_up(
    ports: ListingPorts, asked: admin_contract.LookupActivationsRequest
) -> admin_contract.LookupActivationsResponse:
    found = await listing.look_up_activations(
        ports.reading,
        user_ids=asked.user_ids,
        last_used_before=asked.timestamp_last_used_before,
        last_used_after=asked.timestamp_last_used_after,
        status=asked.activation_status,
        flags=asked.activation_flags or (),
        scope=asked.application_ids,
    )
    return admin_contract.LookupActivationsResponse(
        activations=[activation_item(row, name) for row, name in found]
    )


@router.answers(admin_contract.HISTORY)
async def get_history(
    ports: ListingPorts, asked: admin_contract.ActivationHistoryRequest
) -> admin_contract.ActivationHistoryResponse:
    rows = await listing.get_history(
        ports.reading,
        activation_id=asked.activation_id,
        since=asked.timestamp_from,
        until=asked.timestamp_to,
        scope=asked.application_ids,
    )
    return admin_contract.ActivationHistoryResponse(items=[history_item(row) for row in rows])


@router.answers(admin_contract.STATUS_UPDATE)
async def update_status(
    ports: Ports, asked: admin_contract.UpdateStatusRequest
) -> admin_contract.UpdateStatusResponse:
    await administration.update_status(
        ports.database,
        ports.changes,
        activation_ids=asked.activation_ids,
        status=asked.activation_status,
        scope=asked.application_ids,
    )
    return admin_contract.UpdateStatusResponse(updated=True)


@router.answers(admin_contract.BLOCK)
async def block(
    ports: Ports, asked: admin_contract.BlockActivationRequest
) -> admin_contract.BlockActivationResponse:
    activation = await administration.block_activation(
        ports.database,
        ports.changes,
        activation_id=asked.activation_id,
        reason=asked.reason,
        external_user_id=asked.external_user_id,
        scope=asked.application_ids,
    )
    return admin_contract.BlockActivationResponse(
        activation_id=activation.activation_id,
        activation_status=activation.activation_status,
        blocked_reason=activation.blocked_reason,
    )


@router.answers(admin_contract.UNBLOCK)
async def unblock(
    ports: Ports, asked: admin_contract.UnblockActivationRequest
) -> admin_contract.UnblockActivationResponse:
    activation = await administration.unblock_activation(
        ports.database,
        ports.changes,
        activation_id=asked.activation_id,
        external_user_id=asked.external_user_id,
        scope=asked.application_ids,
    )
    return admin_contract.UnblockActivationResponse(
        activation_id=activation.activation_id, activation_status=activation.activation_status
    )


@router.answers(admin_contract.REMOVE)
async def remove(
    ports: Ports, asked: admin_contract.RemoveActivationRequest
) -> admin_contract.RemoveActivationResponse:
    await administration.remove_activation(
        ports.database,
        ports.changes,
        activation_id=asked.activation_id,
        external_user_id=asked.external_user_id,
        revoke_recovery_codes=asked.revoke_recovery_codes,
        scope=asked.application_ids,
    )
    return admin_contract.RemoveActivationResponse(activation_id=asked.activation_id, removed=True)


@router.answers(admin_contract.NAME_UPDATE)
async def rename(
    ports: Ports, asked: admin_contract.RenameActivationRequest
) -> admin_contract.RenameActivationResponse:
    activation = await administration.rename_activation(
        ports.database,
        ports.changes,
        activation_id=asked.activation_id,
        name=asked.activation_name,
        external_user_id=asked.external_user_id,
        scope=asked.application_ids,
    )
    return admin_contract.RenameActivationResponse(
        activation_id=activation.activation_id,
        activation_name=asked.activation_name,
        activation_status=activation.activation_status,
    )


@router.answers(admin_contract.FLAGS_LIST)
async def list_flags(ports: Ports, asked: admin_contract.ListFlagsRequest) -> admin_contract.FlagsResponse:
    found = await flags.list_flags(
        ports.database, activation_id=asked.activation_id, scope=asked.application_ids
    )
    return admin_contract.FlagsResponse(activation_id=asked.activation_id, activation_flags=list(found))


@router.answers(admin_contract.FLAGS_CREATE)
async def add_flags(ports: Ports, request: admin_contract.ChangeFlagsRequest) -> admin_contract.FlagsResponse:
    return await _changed(ports, request, flags.added)


@router.answers(admin_contract.FLAGS_UPDATE)
async def replace_flags(
    ports: Ports, request: admin_contract.ChangeFlagsRequest
) -> admin_contract.FlagsResponse:
    return await _changed(ports, request, flags.replaced)


@router.answers(admin_contract.FLAGS_REMOVE)
async def remove_flags(
    ports: Ports, request: admin_contract.ChangeFlagsRequest
) -> admin_contract.FlagsResponse:
    return await _changed(ports, request, flags.without)


async def _changed(
    ports: Ports, asked: admin_contract.ChangeFlagsRequest, change: flags.Change
) -> admin_contract.FlagsResponse:
    found = await flags.change_flags(
        ports.database,
        ports.application_cache,
        change,
        activation_id=asked.activation_id,
        flags=asked.activation_flags,
        scope=asked.application_ids,
    )
    return admin_contract.FlagsResponse(activation_id=asked.activation_id, activation_flags=list(found))
