"""HTTP side of the recovery calls (spec/core-api.md §8)."""

from powerauth_contracts.rest import recovery as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.recovery import postcards, service
from powerauth_core.recovery.ports import Ports

router = CallRouter("Recovery")


@router.answers(contract.CREATE)
async def create_code(
    ports: Ports, request: contract.CreateRecoveryCodeRequest
) -> contract.CreateRecoveryCodeResponse:
    return await postcards.create_code(ports, request)


@router.answers(contract.CONFIRM)
async def confirm_code(
    ports: Ports, request: contract.ConfirmRecoveryCodeRequest
) -> contract.ConfirmRecoveryCodeResponse:
    return await service.confirm_code(ports, request)


@router.answers(contract.LOOKUP)
async def look_up_codes(
    ports: Ports, request: contract.LookupRecoveryCodesRequest
) -> contract.LookupRecoveryCodesResponse:
    return await service.look_up_codes(ports.database, ports.application_cache, request)


@router.answers(contract.REVOKE)
async def revoke_codes(
    ports: Ports, request: contract.RevokeRecoveryCodesRequest
) -> contract.RevokeRecoveryCodesResponse:
    return await service.revoke_codes(ports.database, request)


@router.answers(contract.CONFIG_DETAIL)
async def get_config(
    ports: Ports, request: contract.RecoveryConfigRequest
) -> contract.RecoveryConfigResponse:
    return await postcards.get_config(ports.database, ports.application_cache, request)


@router.answers(contract.CONFIG_UPDATE)
async def update_config(
    ports: Ports, request: contract.UpdateRecoveryConfigRequest
) -> contract.UpdateRecoveryConfigResponse:
    return await postcards.update_config(ports, request)
