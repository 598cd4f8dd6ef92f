"""Offline approval: a QR code to the device, a rewritten code back (spec/cloud-api.md §5.4, §5.5, §14)."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from cloud_private_api.access.rules import Caller
from cloud_private_api.core_client import CoreClient
from cloud_private_api.core_errors import Area, CoreCode, in_area
from cloud_private_api.errors import InvalidRequest, OperationStateChangeRefused, UpstreamFailed, Violation
from cloud_private_api.known import OperationTexts
from cloud_private_api.localizations import repository as localizations
from cloud_private_api.localizations.rules import fill_mobile_text, fill_push_text
from cloud_private_api.offline import rules
from cloud_private_api.offline.ports import Ports
from cloud_private_api.operations import rules as operations
from cloud_private_api.operations.v2.service import find, give
from cloud_private_api.registrations.v2.service import status_in_scope
from cloud_private_api.settings import CloudSettings
from cloud_private_api.verification.rules import (
    COMPONENT_LENGTH,
    decoded,
    offline_data,
    otp_verified,
    typed_code,
)
from powerauth_contracts.cloud.offline import OfflineQr
from powerauth_contracts.cloud.verification import OtpVerified
from powerauth_contracts.rest import operations as operation_calls
from powerauth_contracts.rest import verification as contract
from powerauth_contracts.rest.activations import ActivationStatusResponse
from powerauth_contracts.rest.operations import OperationDetailResponse
from powerauth_contracts.rest.templates import OperationTextRow
from powerauth_contracts.texts import CoreRefused
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.request_data import OFFLINE_RESOURCE_ID
from servicekit.database import Database
from servicekit.logs import get_logger

DEFAULT_LANGUAGE = "en"

_log = get_logger(__name__)


@in_area(Area.OPERATIONS)
async def qr_code(
    ports: Ports, caller: Caller, operation_id: str, registration_id: str, language: str
) -> OfflineQr:
    """The payload of the QR code for one registration; an operation without an owner becomes its user's."""
    operation, registration = await _checked(ports, caller, operation_id, registration_id)
    secrets = _secrets(ports.settings, operation, registration)
    if operation.user_id is None:
        operation = await give(ports, caller, operation.id, registration.user_id)
    title, message = await _texts(ports.database, ports.texts, operation, language.lower())
    made = await ports.core.ask(
        contract.OFFLINE_PERSONALIZED_CREATE,
        activation_id=registration.activation_id,
        application_ids=caller.applications,
        data=rules.payload_data(operation, title, message),
        nonce=b64encode(secrets.nonce) if secrets else None,
        proximity_check=secrets.proximity_check() if secrets else None,
    )
    return OfflineQr(operation_qr_code_data=made.offline_data, nonce=made.nonce)


@in_area(Area.OPERATIONS)
async def verify_otp(
    ports: Ports, caller: Caller, *, operation_id: str, registration_id: str, otp: str, nonce: str
) -> OtpVerified:
    """Verify the rewritten code and approve the operation; a wrong code counts on both."""
    given = decoded(nonce, "nonce", rules.NONCE_BYTES)
    operation, registration = await _checked(ports, caller, operation_id, registration_id)
    code = typed_code(otp, one_factor=operations.allows_one_factor(operation))
    secrets = _secrets(ports.settings, operation, registration, given)
    if secrets is not None and not hmac.compare_digest(secrets.nonce, given):
        raise InvalidRequest(Violation("nonce", "is not the nonce of this operation"))
    answer = await ports.core.ask(
        contract.OFFLINE_VERIFY,
        activation_id=registration.activation_id,
        application_ids=caller.applications,
        data=offline_data(OFFLINE_RESOURCE_ID, given, rules.signed_data(operation)),
        signature=code,
        component_length=COMPONENT_LENGTH,
        allow_biometry=operations.allows_biometry(operation),
        proximity_check=secrets.proximity_check(stepCount=rules.PROXIMITY_STEP_COUNT) if secrets else None,
    )
    if answer.signature_valid:
        await _approve(ports.core, caller, operation, registration, answer.signature_type)
    elif answer.user_id is not None:
        # Without a user the code was not checked at all: the registration has just left ACTIVE (D14).
        await _count_failure(ports.core, caller, operation)
    return otp_verified(answer)


async def _checked(
    ports: Ports, caller: Caller, operation_id: str, registration_id: str
) -> tuple[OperationDetailResponse, ActivationStatusResponse]:
    operation = await find(ports, caller, operation_id)
    registration = await status_in_scope(ports.core, caller.applications, registration_id)
    operations.require_fit(operation, registration)
    operations.require_pending(operation)
    operations.require_active(registration)
    return operation, registration


def _secrets(
    settings: CloudSettings,
    operation: OperationDetailResponse,
    registration: ActivationStatusResponse,
    nonce: bytes = b"",
) -> rules.OfflineSecrets | None:
    """Derived nonce and proximity seed, if the operation has a proximity check: then the core tells an OTP.

    :param nonce: of a code that was shown before; its key may be a previous one
    :raises InvalidRequest: it has, and no derivation key is configured
    """
    if operation.proximity_otp is None:
        return None
    keys = settings.derivation_keys
    if not keys:
        raise InvalidRequest(message="Offline approval with proximity check is not configured")
    derived = [rules.derive(key, operation.id, registration.activation_id) for key in keys]
    return next((each for each in derived if hmac.compare_digest(each.nonce, nonce)), derived[0])


async def _approve(
    core: CoreClient,
    caller: Caller,
    operation: OperationDetailResponse,
    registration: ActivationStatusResponse,
    signature_type: str | None,
) -> None:
    """Never report a right code without the approval that it is for."""
    if registration.application_id is None or signature_type is None:
        raise UpstreamFailed
    additional = {
        "activationId": registration.activation_id,
        "applicationId": registration.application_id,
        "authFactor": signature_type.lower(),
    }
    if operation.proximity_otp is not None:
        # The code covered the derived OTP; the core wants its own one beside it.
        additional["proximity_otp"] = operation.proximity_otp
    outcome = await core.ask(
        operation_calls.APPROVE,
        operation_id=operation.id,
        application_ids=caller.applications,
        user_id=registration.user_id,
        application_id=registration.application_id,
        data=operation.data,
        signature_type=signature_type,
        number_matching=operation.number_matching,
        additional_data=additional,
    )
    if outcome.result != operations.APPROVED:
        raise OperationStateChangeRefused


async def _count_failure(core: CoreClient, caller: Caller, operation: OperationDetailResponse) -> None:
    try:
        await core.ask(
            operation_calls.APPROVE_FAIL, operation_id=operation.id, application_ids=caller.applications
        )
    except CoreRefused as refusal:
        if refusal.code not in (CoreCode.OPERATION_STATE, CoreCode.OPERATION_NOT_FOUND):
            raise
        _log.info("failed offline attempt on an operation that is final by now", operation=operation.id)


async def _texts(
    database: Database, texts: OperationTexts, operation: OperationDetailResponse, language: str
) -> tuple[str, str]:
    """Title and message: the app's texts, else the push texts, else the operation type (§14.1)."""
    languages = (language, DEFAULT_LANGUAGE)
    mobile = _in_language(await texts.of_type(operation.operation_type), languages)
    parameters = operation.parameters
    if mobile is not None:
        return (
            fill_mobile_text(mobile.title, parameters),
            fill_mobile_text(mobile.message, parameters),
        )
    if operation.template_name is not None:
        async with database.read() as session:
            push = await localizations.find_first(session, operation.template_name, languages)
        if push is not None:
            return (
                fill_push_text(push.title, parameters),
                fill_push_text(push.summary, parameters),
            )
    return operation.operation_type, ""


def _in_language(texts: Sequence[OperationTextRow], languages: Sequence[str]) -> OperationTextRow | None:
    by_language = {text.language: text for text in texts}
    return next((by_language[language] for language in languages if language in by_language), None)
