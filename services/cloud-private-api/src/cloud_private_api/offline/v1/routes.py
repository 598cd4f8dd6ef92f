"""HTTP of offline approval in the single-device view (spec/cloud-api.md §6)."""

from __future__ import annotations

from starlette.responses import Response

from cloud_private_api.offline.ports import Running
from cloud_private_api.offline.v1 import service
from cloud_private_api.parameters import AppIdQuery, LanguageQuery, OperationIdQuery
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import offline as contract
from powerauth_contracts.cloud.offline import VerifySingleOfflineOtp

router = CloudRouter("Operations (single device)")


@router.answers(contract.GET_OFFLINE_QR)
async def get_offline_qr(
    ports: Running,
    caller: CallerDep,
    operation_id: OperationIdQuery,
    app_id: AppIdQuery = None,
    language: LanguageQuery = "en",
) -> Response:
    """The QR code for offline approval by the current registration."""
    return answer(await service.qr_code(ports, caller, operation_id, app_id, language))


@router.answers(contract.VERIFY_OFFLINE_OTP)
async def verify_offline_otp(
    ports: Running, caller: CallerDep, request: VerifySingleOfflineOtp, app_id: AppIdQuery = None
) -> Response:
    """Verify the code rewritten from the device of the current registration."""
    return answer(
        await service.verify_otp(
            ports,
            caller,
            operation_id=request.operation_id,
            otp=request.otp,
            nonce=request.nonce,
            app_id=app_id,
        )
    )
