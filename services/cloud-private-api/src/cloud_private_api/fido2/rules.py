"""Passkeys in the words of this API, without I/O (spec/cloud-api.md §8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cloud_private_api.errors import Fido2Refused
from powerauth_contracts.cloud.fido2 import (
    AssertionChallenge,
    Authenticator,
    Authenticators,
    Credential,
    RegistrationChallenge,
    VerifiedAssertion,
)
from powerauth_contracts.rest import fido2 as contract
from powerauth_contracts.wire import ObjectResponse
from powerauth_protocol.common.encoding import b64decode, b64url_decode
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.json_text import read_json_object


def operation_of(client_data_json: str) -> str:
    """The operation that an assertion is about: what stands before the first ``&`` of its challenge.

    :param client_data_json: Base64
    :raises Fido2Refused: there is none
    """
    try:
        challenge = read_json_object(b64decode(client_data_json)).get("challenge")
        if not isinstance(challenge, str):
            raise Fido2Refused
        operation_id, separator, _ = b64url_decode(challenge).partition(b"&")
        if separator:
            return operation_id.decode()
    except (EncodingError, UnicodeDecodeError):
        pass
    raise Fido2Refused


def authenticators(found: Iterable[contract.Fido2Authenticator]) -> ObjectResponse[Authenticators]:
    """Passkeys of a user; of all answers this one has an envelope."""
    return ObjectResponse[Authenticators](
        response_object=Authenticators(authenticators=[authenticator(one) for one in found])
    )


def authenticator(found: contract.Fido2Authenticator) -> Authenticator:
    """One passkey."""
    return Authenticator(
        user_id=found.user_id,
        registration_id=found.activation_id,
        app_id=found.application_id,
        registration_name=found.activation_name,
        credential_id=found.credential_id,
        registration_status=found.activation_status,
        extras=found.extras,
        platform=found.platform,
        device_info=found.device_info,
        blocked_reason=found.blocked_reason,
        failed_attempts=found.failed_attempts,
        max_failed_attempts=found.max_failed_attempts,
        application_roles=found.application_roles,
        registration_flags=found.activation_flags,
        public_key_bytes=found.public_key_bytes,
    )


def registration_challenge(found: contract.RegistrationChallengeResponse) -> RegistrationChallenge:
    """A passkey that is waited for."""
    return RegistrationChallenge(
        registration_id=found.activation_id,
        app_id=found.application_id,
        challenge=found.challenge,
        user_id=found.user_id,
        exclude_credentials=_credentials(found.exclude_credentials),
    )


def assertion_challenge(found: contract.AssertionChallengeResponse) -> AssertionChallenge:
    """An operation that waits for a passkey."""
    allowed = found.allow_credentials
    return AssertionChallenge(
        challenge=found.challenge,
        user_id=found.user_id,
        application_ids=found.application_ids,
        operation_id=found.operation_id,
        allow_credentials=None if allowed is None else _credentials(allowed),
        failed_attempts=found.failed_attempts,
        max_failed_attempts=found.max_failed_attempts,
    )


def verified(found: contract.AssertionVerification) -> VerifiedAssertion:
    """An operation that was approved."""
    return VerifiedAssertion(
        assertion_valid=found.assertion_valid,
        user_id=found.user_id,
        registration_id=found.activation_id,
        application_id=found.application_id,
        registration_status=found.activation_status,
        blocked_reason=found.blocked_reason,
        remaining_attempts=found.remaining_attempts,
        application_roles=found.application_roles,
        registration_flags=found.activation_flags,
    )


def _credentials(found: Sequence[contract.Credential]) -> list[Credential]:
    return [Credential(credential_id=one.credential_id, transports=one.transports) for one in found]
