"""HTTP side of the recovery calls (spec/core-api.md §8)."""

from powerauth_contracts.enums import RecoveryPukStatus
from powerauth_contracts.rest import recovery as contract
from powerauth_core.envelopes.views import closed_envelope
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.recovery import postcards, service
from powerauth_core.recovery.ports import Ports
from powerauth_core.recovery.rules import masked
from powerauth_protocol.common.encoding import b64encode

router = CallRouter("Recovery")


@router.answers(contract.CREATE)
async def create_code(
    ports: Ports, asked: contract.CreateRecoveryCodeRequest
) -> contract.CreateRecoveryCodeResponse:
    postcard = await postcards.create_code(
        ports,
        application_id=asked.application_id,
        user_id=asked.user_id,
        puk_count=asked.puk_count,
        scope=asked.application_ids,
    )
    code, generated = postcard.code, postcard.generated
    return contract.CreateRecoveryCodeResponse(
        nonce=b64encode(generated.nonce),
        user_id=code.user_id,
        recovery_code_id=code.id,
        recovery_code_masked=masked(code.recovery_code),
        status=code.status,
        puks=[
            contract.CreatedPuk(puk_index=number, puk_derivation_index=index, status=RecoveryPukStatus.VALID)
            for number, index in generated.puk_derivation_indexes.items()
        ],
    )


@router.answers(contract.CONFIRM)
async def confirm_code(
    ports: Ports, asked: contract.ConfirmRecoveryCodeRequest
) -> contract.ConfirmRecoveryCodeResponse:
    activation, sealed = await service.confirm_code(
        ports,
        activation_id=asked.activation_id,
        closed=closed_envelope(asked, asked.application_key, asked.protocol_version),
        scope=asked.application_ids,
    )
    return contract.ConfirmRecoveryCodeResponse(
        **sealed.members, activation_id=activation.activation_id, user_id=activation.user_id
    )


@router.answers(contract.LOOKUP)
async def look_up_codes(
    ports: Ports, asked: contract.LookupRecoveryCodesRequest
) -> contract.LookupRecoveryCodesResponse:
    found = await service.look_up_codes(
        ports.database,
        ports.application_cache,
        user_id=asked.user_id,
        activation_id=asked.activation_id,
        application_id=asked.application_id,
        status=asked.recovery_code_status,
        puk_status=asked.recovery_puk_status,
        scope=asked.application_ids,
    )
    return contract.LookupRecoveryCodesResponse(recovery_codes=[_found(code) for code in found])


@router.answers(contract.REVOKE)
async def revoke_codes(
    ports: Ports, asked: contract.RevokeRecoveryCodesRequest
) -> contract.RevokeRecoveryCodesResponse:
    revoked = await service.revoke_codes(ports.database, asked.recovery_code_ids, asked.application_ids)
    return contract.RevokeRecoveryCodesResponse(revoked=revoked)


@router.answers(contract.CONFIG_DETAIL)
async def get_config(ports: Ports, asked: contract.RecoveryConfigRequest) -> contract.RecoveryConfigResponse:
    config = await postcards.get_config(
        ports.database,
        ports.application_cache,
        application_id=asked.application_id,
        scope=asked.application_ids,
    )
    return contract.RecoveryConfigResponse(
        application_id=asked.application_id,
        activation_recovery_enabled=config.activation_recovery_enabled,
        recovery_postcard_enabled=config.recovery_postcard_enabled,
        allow_multiple_recovery_codes=config.allow_multiple_recovery_codes,
        postcard_public_key=config.postcard_public_key_base64,
        remote_postcard_public_key=config.remote_public_key_base64,
    )


@router.answers(contract.CONFIG_UPDATE)
async def update_config(
    ports: Ports, asked: contract.UpdateRecoveryConfigRequest
) -> contract.UpdateRecoveryConfigResponse:
    await postcards.update_config(
        ports,
        application_id=asked.application_id,
        activation_recovery=asked.activation_recovery_enabled,
        postcards=asked.recovery_postcard_enabled,
        multiple_codes=asked.allow_multiple_recovery_codes,
        remote_key=asked.remote_postcard_public_key,
        scope=asked.application_ids,
    )
    return contract.UpdateRecoveryConfigResponse(updated=True)


def _found(found: service.FoundCode) -> contract.FoundRecoveryCode:
    code = found.code
    return contract.FoundRecoveryCode(
        recovery_code_id=code.id,
        recovery_code_masked=masked(code.recovery_code),
        user_id=code.user_id,
        application_id=found.application_id,
        activation_id=code.activation_id,
        status=code.status,
        puks=[contract.FoundPuk(puk_index=puk.puk_index, status=puk.status) for puk in found.puks],
    )
