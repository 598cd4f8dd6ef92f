"""Use cases of verification (spec/cloud-api.md §7)."""

from __future__ import annotations

from collections.abc import Sequence

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
from cloud_private_api.verification.rules import SignedRequest
from powerauth_contracts.cloud.verification import (
    EcdsaVerified,
    OfflinePayload,
    OtpVerified,
    SignatureVerified,
    TokenVerified,
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
    core: CoreClient,
    applications: ApplicationFacts,
    caller: Caller,
    signed: SignedRequest,
    *,
    auth_header: str,
    allowed_types: Sequence[str] | None,
) -> SignatureVerified:
    """Verify an online authentication code: one call to the core.

    :param auth_header: of the app, which holds the code
    :param allowed_types: None = every signature type
    """
    header = _signature_header(auth_header, allowed_types)
    data = rules.normalized_data(signed, header.nonce)
    # Before the core is asked: another bank's backend must not use up a registration's attempts.
    if await applications.of_key(header.application_key) not in caller.applications:
        raise SignatureInvalid
    return rules.signature_verified(
        await _verify_online(core, applications, caller, header, data), header.version
    )


def _signature_header(auth_header: str, allowed: Sequence[str] | None) -> SignatureHeader:
    try:
        header = read_authorization(parse_fields(auth_header))
    except HeaderError:
        raise SignatureInvalid from None
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
async def verify_token(core: CoreClient, caller: Caller, auth_header: str) -> TokenVerified:
    """Verify a simple token."""
    try:
        header = read_token(parse_fields(auth_header))
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
    core: CoreClient, caller: Caller, *, registration_id: str | None, app_id: str | None, data: str
) -> OfflinePayload:
    """Signed data for a QR code, for one registration or for any of an application."""
    if registration_id is None:
        application = one_application(caller, app_id)
        made = await core.ask(contract.OFFLINE_NON_PERSONALIZED_CREATE, application_id=application, data=data)
    elif app_id is not None:
        raise InvalidRequest(Violation("appId", "must not be combined with registrationId", app_id))
    elif not caller.applications:
        raise RegistrationNotFound
    else:
        made = await core.ask(
            contract.OFFLINE_PERSONALIZED_CREATE,
            activation_id=registration_id,
            application_ids=caller.applications,
            data=data,
        )
    return OfflinePayload(qr_code_data=made.offline_data, nonce=made.nonce)


@in_area(Area.OPERATIONS)
async def verify_offline_signature(
    core: CoreClient,
    caller: Caller,
    *,
    registration_id: str,
    uri_id: str,
    data: str,
    nonce: str,
    otp: str,
    allow_biometry: bool,
) -> OtpVerified:
    """Verify an offline code that belongs to no operation."""
    code = rules.typed_code(otp, one_factor=True)
    signed_nonce = rules.decoded(nonce, "nonce", rules.NONCE_BYTES)
    registration = await status_in_scope(core, caller.applications, registration_id)
    answer = await core.ask(
        contract.OFFLINE_VERIFY,
        activation_id=registration.activation_id,
        application_ids=caller.applications,
        data=rules.offline_data(uri_id, signed_nonce, data),
        signature=code,
        component_length=rules.COMPONENT_LENGTH,
        allow_biometry=allow_biometry,
    )
    return rules.otp_verified(answer)


@in_area(Area.OPERATIONS)
async def verify_ecdsa_signature(
    core: CoreClient,
    caller: Caller,
    *,
    registration_id: str,
    data: str,
    signature: str,
    signature_format: str,
) -> EcdsaVerified:
    """Verify a signature made by the device's private key. Attempts are not counted.

    :param data: Base64, as ``signature``
    :param signature_format: ``DER`` or ``JOSE``
    """
    rules.decoded(data, "data")
    given = rules.decoded(signature, "signature")
    registration = await status_in_scope(core, caller.applications, registration_id)
    verified = EcdsaVerified(
        signature_valid=False,
        registration_id=registration.activation_id,
        user_id=registration.user_id,
        registration_status=registration.activation_status,
    )
    if registration.activation_status == "ACTIVE" and _readable(given, signature_format):
        verified.signature_valid = await _verify_ecdsa(
            core,
            activation_id=registration_id,
            application_ids=caller.applications,
            data=data,
            signature=signature,
            signature_format=signature_format,
        )
    return verified


def _readable(signature: bytes, signature_format: str) -> bool:
    if signature_format == "DER":
        return bool(signature)
    try:
        jose_to_der(signature)
    except ProtocolError:
        return False
    return True


async def _verify_ecdsa(core: CoreClient, **members: object) -> bool:
    try:
        answer = await core.ask(contract.ECDSA_VERIFY, **members)
    except CoreRefused as refusal:
        if refusal.code in _UNREADABLE_SIGNATURE:
            return False
        raise
    return answer.signature_valid
