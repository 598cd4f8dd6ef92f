"""Use cases of offline approval in the single-device view (spec/cloud-api.md §6)."""

from __future__ import annotations

from cloud_private_api.access.rules import Caller, one_application
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import OperationNotFound, RegistrationNotFound
from cloud_private_api.offline.ports import Ports
from cloud_private_api.offline.v2 import service as offline
from cloud_private_api.operations.v2 import service as operations
from cloud_private_api.registrations.v1.service import find_current
from powerauth_contracts.cloud.offline import OfflineQr
from powerauth_contracts.cloud.verification import OtpVerified


@in_area(Area.OPERATIONS)
async def qr_code(
    ports: Ports, caller: Caller, operation_id: str, app_id: str | None, language: str
) -> OfflineQr:
    """The QR code for the current registration of the operation's user."""
    registration_id = await _current_registration(ports, caller, operation_id, app_id)
    return await offline.qr_code(ports, caller, operation_id, registration_id, language)


@in_area(Area.OPERATIONS)
async def verify_otp(
    ports: Ports, caller: Caller, *, operation_id: str, otp: str, nonce: str, app_id: str | None
) -> OtpVerified:
    """Verify the code rewritten from the current registration of the operation's user."""
    registration_id = await _current_registration(ports, caller, operation_id, app_id)
    return await offline.verify_otp(
        ports, caller, operation_id=operation_id, registration_id=registration_id, otp=otp, nonce=nonce
    )


async def _current_registration(ports: Ports, caller: Caller, operation_id: str, app_id: str | None) -> str:
    application = one_application(caller, app_id, empty=OperationNotFound, parameter=True)
    operation = await operations.find(ports, caller, operation_id)
    if operation.user_id is None:
        raise RegistrationNotFound
    current = await find_current(ports.core, operation.user_id, application)
    if current is None:
        raise RegistrationNotFound
    return current.activation_id
