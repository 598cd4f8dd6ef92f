"""HTTP of operations in the single-device view (spec/cloud-api.md §6)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from cloud_private_api.container import CallerDep, CloudDep
from cloud_private_api.operations import service as operations
from cloud_private_api.operations.schemas import (
    CreateSingleOperation,
    OfflineQr,
    SingleOperation,
    VerifySingleOfflineOtp,
)
from cloud_private_api.operations.v1 import service
from cloud_private_api.parameters import AppIdQuery, LanguageQuery, QueryText, StatusReasonQuery
from cloud_private_api.routing import answer, cloud_router
from cloud_private_api.verification.schemas import OtpVerified
from powerauth_contracts.wire import StatusResponse

router = cloud_router("Operations (single device)")

OperationIdQuery = Annotated[QueryText, Query(alias="operationId", min_length=1, max_length=255)]


@router.post("/operations", operation_id="createOperation", response_model=SingleOperation)
async def create_operation(cloud: CloudDep, caller: CallerDep, request: CreateSingleOperation) -> Response:
    """Create an operation."""
    return answer(await service.create(cloud, caller, request))


@router.get("/operations", operation_id="getOperation", response_model=SingleOperation)
async def get_operation(cloud: CloudDep, caller: CallerDep, operation_id: OperationIdQuery) -> Response:
    """One operation."""
    return answer(await service.detail(cloud, caller, operation_id))


@router.delete("/operations", operation_id="cancelOperation", response_model=StatusResponse)
async def cancel_operation(
    cloud: CloudDep,
    caller: CallerDep,
    operation_id: OperationIdQuery,
    status_reason: StatusReasonQuery = None,
) -> Response:
    """Cancel an operation."""
    await operations.cancel(cloud, caller, operation_id, status_reason=status_reason)
    return answer(StatusResponse())


@router.get("/operations/offline/qr", operation_id="getOfflineQr", response_model=OfflineQr)
async def get_offline_qr(
    cloud: CloudDep,
    caller: CallerDep,
    operation_id: OperationIdQuery,
    app_id: AppIdQuery = None,
    language: LanguageQuery = "en",
) -> Response:
    """The QR code for offline approval by the current registration."""
    return answer(await service.qr_code(cloud, caller, operation_id, app_id, language))


@router.post("/operations/offline/otp", operation_id="verifyOfflineOtp", response_model=OtpVerified)
async def verify_offline_otp(
    cloud: CloudDep, caller: CallerDep, request: VerifySingleOfflineOtp, app_id: AppIdQuery = None
) -> Response:
    """Verify the code rewritten from the device of the current registration."""
    return answer(await service.verify_otp(cloud, caller, request, app_id))
