"""Use cases of operations in the single-device view (spec/cloud-api.md §6)."""

from __future__ import annotations

from cloud_private_api.auth.rules import Caller, one_application
from cloud_private_api.container import Cloud
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import OperationNotFound, RegistrationNotFound
from cloud_private_api.offline import service as offline
from cloud_private_api.operations import service
from cloud_private_api.operations.schemas import (
    CreateOperation,
    CreateSingleOperation,
    OfflineQr,
    Operation,
    SingleOperation,
    VerifyOfflineOtp,
    VerifySingleOfflineOtp,
)
from cloud_private_api.registrations.v1.service import find_current
from cloud_private_api.verification.schemas import OtpVerified


def _single(operation: Operation) -> SingleOperation:
    return SingleOperation(**{name: getattr(operation, name) for name in SingleOperation.model_fields})


async def create(cloud: Cloud, caller: Caller, request: CreateSingleOperation) -> SingleOperation:
    """Create an operation in all applications of the caller."""
    full = CreateOperation(
        user_id=request.user_id,
        template=request.template,
        language=request.language,
        external_id=request.external_id,
        parameters=request.parameters,
    )
    return _single(await service.create(cloud, caller, full))


async def detail(cloud: Cloud, caller: Caller, operation_id: str) -> SingleOperation:
    """One operation."""
    return _single(await service.detail(cloud, caller, operation_id))


@in_area(Area.OPERATIONS)
async def qr_code(
    cloud: Cloud, caller: Caller, operation_id: str, app_id: str | None, language: str
) -> OfflineQr:
    """The QR code for the current registration of the operation's user."""
    registration_id = await _current_registration(cloud, caller, operation_id, app_id)
    return await offline.qr_code(cloud, caller, operation_id, registration_id, language)


@in_area(Area.OPERATIONS)
async def verify_otp(
    cloud: Cloud, caller: Caller, request: VerifySingleOfflineOtp, app_id: str | None
) -> OtpVerified:
    """Verify the code rewritten from the current registration of the operation's user."""
    registration_id = await _current_registration(cloud, caller, request.operation_id, app_id)
    full = VerifyOfflineOtp(otp=request.otp, nonce=request.nonce, registration_id=registration_id)
    return await offline.verify_otp(cloud, caller, request.operation_id, full)


async def _current_registration(cloud: Cloud, caller: Caller, operation_id: str, app_id: str | None) -> str:
    application = one_application(caller, app_id, empty=OperationNotFound, parameter=True)
    operation = await service.find(cloud, caller, operation_id)
    if operation.user_id is None:
        raise RegistrationNotFound
    current = await find_current(cloud, operation.user_id, application)
    if current is None:
        raise RegistrationNotFound
    return current.activation_id
