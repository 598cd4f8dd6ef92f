"""HTTP of offline approval (spec/cloud-api.md §5.4, §5.5)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from cloud_private_api.offline.ports import Running
from cloud_private_api.offline.v2 import service
from cloud_private_api.parameters import REGISTRATION_ID, LanguageQuery, OperationIdPath
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import offline as contract
from powerauth_contracts.cloud.offline import VerifyOfflineOtp

router = CloudRouter("Operations")


@router.answers(contract.GET_OFFLINE_QR_V2)
async def get_offline_qr(
    ports: Running,
    caller: CallerDep,
    operation_id: OperationIdPath,
    registration_id: Annotated[str, Query(alias="registrationId", pattern=REGISTRATION_ID)],
    language: LanguageQuery = "en",
) -> Response:
    """The QR code for offline approval by one registration."""
    return answer(await service.qr_code(ports, caller, operation_id, registration_id, language))


@router.answers(contract.VERIFY_OFFLINE_OTP_V2)
async def verify_offline_otp(
    ports: Running, caller: CallerDep, operation_id: OperationIdPath, request: VerifyOfflineOtp
) -> Response:
    """Verify the code rewritten from the device."""
    return answer(
        await service.verify_otp(
            ports,
            caller,
            operation_id=operation_id,
            registration_id=request.registration_id,
            otp=request.otp,
            nonce=request.nonce,
        )
    )
