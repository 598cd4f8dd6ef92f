"""Use cases of verification (spec/cloud-api.md §7)."""

from __future__ import annotations

from cloud_private_api.access.rules import Caller, one_application
from cloud_private_api.core_client import CoreClient
from cloud_private_api.core_errors import Area, CoreCode, in_area
from cloud_private_api.errors import (
    InvalidRequest,
    RegistrationNotFound,
    SignatureInvalid,
    TokenInvalid,
    Violation,
)
from cloud_private_api.known import ApplicationFacts
from cloud_private_api.registrations.v2.service import status_in_scope
from cloud_private_api.verification import rules
from powerauth_contracts.cloud.verification import (
    CreateOfflinePayload,
    EcdsaVerified,
    OfflinePayload,
    OtpVerified,
    SignatureVerified,
    TokenVerified,
    VerifyEcdsaSignature,
    VerifyOfflineSignature,
    VerifySignature,
    VerifyToken,
)
from powerauth_contracts.rest import tokens
from powerauth_contracts.rest import verification as contract
from powerauth_contracts.texts import CoreRefused
from powerauth_protocol.common.errors import HeaderError, ProtocolError
from powerauth_protocol.generation import read_authorization, read_token
from powerauth_protocol.v3.ecdsa import jose_to_der
from powerauth_protocol.v3.http_headers import SignatureHeader, parse_fields

_UNREADABLE_SIGNATURE = frozenset({CoreCode.CRYPTO_FAILED, CoreCode.KEY_INVALID, CoreCode.INPUT_INVALID})


@in_area(Area.SIGNATURES)
async def verify_signature(
    core: CoreClient, applications: ApplicationFacts, caller: Caller, request: VerifySignature
) -> SignatureVerified:
    """Verify an online authentication code: one call to the core."""
    header = _signature_header(request)
    data = rules.normalized_data(request, header.nonce)
    # Before the core is asked: another bank's backend must not use up a registration's attempts.
    if await applications.of_key(header.application_key) not in caller.applications:
        raise SignatureInvalid
    return rules.signature_verified(
        await _verify_online(core, applications, caller, header, data), header.version
    )


def _signature_header(request: VerifySignature) -> SignatureHeader:
    try:
        header = read_authorization(parse_fields(request.auth_header))
    except HeaderError:
        raise SignatureInvalid from None
    allowed = request.allowed_signature_types
    if allowed is not None and header.signature_type.upper() not in allowed:
        raise SignatureInvalid
    return header


async def _verify_online(
    core: CoreClient, applications: ApplicationFacts, caller: Caller, header: SignatureHeader, data: str
) -> contract.VerifySignatureResponse:
    known = applications.of_registration(header.activation_id)
    if known is not None and known not in caller.applications:
        return rules.unknown_registration(header.activation_id)
    try:
        answer = await core.ask(
            contract.VERIFY,
            activation_id=header.activation_id,
            application_ids=caller.applications,
            application_key=header.application_key,
            data=data,
            signature=header.signature,
            signature_type=header.signature_type.upper(),
            signature_version=header.version,
        )
    except CoreRefused as refusal:
        if refusal.code == CoreCode.ACTIVATION_NOT_FOUND:
            return rules.unknown_registration(header.activation_id)
        raise
    if answer.application_id is not None:
        applications.learn_registration(header.activation_id, answer.application_id)
        if answer.application_id not in caller.applications:
            return rules.unknown_registration(header.activation_id)
    return answer


@in_area(Area.TOKENS)
async def verify_token(core: CoreClient, caller: Caller, request: VerifyToken) -> TokenVerified:
    """Verify a simple token."""
    try:
        header = read_token(parse_fields(request.auth_header))
    except HeaderError:
        raise TokenInvalid from None
    if not caller.applications:
        return TokenVerified(token_valid=False)
    try:
        answer = await core.ask(
            tokens.VALIDATE,
            token_id=header.token_id,
            application_ids=caller.applications,
            token_digest=header.token_digest,
            nonce=header.nonce,
            timestamp=int(header.timestamp),
            protocol_version=header.version,
        )
    except CoreRefused as refusal:
        if refusal.code in (CoreCode.REQUEST_INVALID, CoreCode.ACTIVATION_NOT_FOUND):
            # The form of the header is proved above: the core refuses a nonce that was used before.
            return TokenVerified(token_valid=False)
        raise
    return rules.token_verified(answer, caller.applications)


@in_area(Area.OPERATIONS)
async def create_offline_payload(
    core: CoreClient, caller: Caller, request: CreateOfflinePayload
) -> OfflinePayload:
    """Signed data for a QR code, for one registration or for any of an application."""
    if request.registration_id is None:
        app_id = one_application(caller, request.app_id)
        made = await core.ask(
            contract.OFFLINE_NON_PERSONALIZED_CREATE, application_id=app_id, data=request.data
        )
    elif request.app_id is not None:
        raise InvalidRequest(Violation("appId", "must not be combined with registrationId", request.app_id))
    elif not caller.applications:
        raise RegistrationNotFound
    else:
        made = await core.ask(
            contract.OFFLINE_PERSONALIZED_CREATE,
            activation_id=request.registration_id,
            application_ids=caller.applications,
            data=request.data,
        )
    return OfflinePayload(qr_code_data=made.offline_data, nonce=made.nonce)


@in_area(Area.OPERATIONS)
async def verify_offline_signature(
    core: CoreClient, caller: Caller, request: VerifyOfflineSignature
) -> OtpVerified:
    """Verify an offline code that belongs to no operation."""
    code = rules.typed_code(request.otp, one_factor=True)
    nonce = rules.decoded(request.nonce, "nonce", rules.NONCE_BYTES)
    registration = await status_in_scope(core, caller.applications, request.registration_id)
    answer = await core.ask(
        contract.OFFLINE_VERIFY,
        activation_id=registration.activation_id,
        application_ids=caller.applications,
        data=rules.offline_data(request.uri_id, nonce, request.data),
        signature=code,
        component_length=rules.COMPONENT_LENGTH,
        allow_biometry=request.allow_biometry,
    )
    return rules.otp_verified(answer)


@in_area(Area.OPERATIONS)
async def verify_ecdsa_signature(
    core: CoreClient, caller: Caller, request: VerifyEcdsaSignature
) -> EcdsaVerified:
    """Verify a signature made by the device's private key. Attempts are not counted."""
    rules.decoded(request.data, "data")
    signature = rules.decoded(request.signature, "signature")
    registration = await status_in_scope(core, caller.applications, request.registration_id)
    verified = EcdsaVerified(
        signature_valid=False,
        registration_id=registration.activation_id,
        user_id=registration.user_id,
        registration_status=registration.activation_status,
    )
    if registration.activation_status == "ACTIVE" and _readable(signature, request.signature_format):
        verified.signature_valid = await _verify_ecdsa(core, caller, request)
    return verified


def _readable(signature: bytes, signature_format: str) -> bool:
    if signature_format == "DER":
        return bool(signature)
    try:
        jose_to_der(signature)
    except ProtocolError:
        return False
    return True


async def _verify_ecdsa(core: CoreClient, caller: Caller, request: VerifyEcdsaSignature) -> bool:
    try:
        answer = await core.ask(
            contract.ECDSA_VERIFY,
            activation_id=request.registration_id,
            application_ids=caller.applications,
            data=request.data,
            signature=request.signature,
            signature_format=request.signature_format,
        )
    except CoreRefused as refusal:
        if refusal.code in _UNREADABLE_SIGNATURE:
            return False
        raise
    return answer.signature_valid
