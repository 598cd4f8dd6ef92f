"""Decisions about authentication codes, without I/O (spec/cloud-api.md §7, §14.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from cloud_private_api.errors import InvalidRequest, OtpInvalid, Violation
from powerauth_contracts.cloud.verification import (
    OtpVerified,
    SignatureVerified,
    TokenVerified,
)
from powerauth_contracts.declared import made
from powerauth_contracts.enums import ActivationStatus
from powerauth_contracts.rest.tokens import ValidateTokenResponse
from powerauth_contracts.rest.verification import VerifySignatureResponse
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.request_data import MAX_QUERY, OFFLINE_METHOD, canonical_query, signature_base

NONCE_BYTES = 16

_GROUPING = re.compile(r"[ \-]")
_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_TWO_FACTORS = 16
COMPONENT_LENGTH = 8
"""Digits of an offline code's component."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """The app's request that an authentication code covers.

    :ivar body: Base64; not looked at for ``GET``, which signs the query
    :ivar query: values by name; looked at for ``GET`` alone
    """

    method: str
    uri_id: str
    body: str | None = None
    query: Mapping[str, Sequence[str]] | None = None


def decoded(text: str, field: str, length: int | None = None) -> bytes:
    """Bytes of a Base64 property.

    :raises InvalidRequest: not Base64, or another length
    """
    try:
        return b64decode(text, length)
    except EncodingError:
        hint = "must be Base64" if length is None else f"must be Base64 of {length} bytes"
        raise InvalidRequest(Violation(field, hint, text)) from None


def normalized_data(signed: SignedRequest, nonce: str) -> str:
    """The data that the app signed, without the application secret (§7.1).

    :param nonce: Base64 of 16 bytes, from the header
    :raises InvalidRequest: the request body is not Base64, or the query is too long
    """
    if signed.method == "GET":
        body = _query(signed.query or {})
    else:
        body = decoded(signed.body, "requestBody") if signed.body else b""
    return signature_base(signed.method, signed.uri_id, b64decode(nonce), body)


def _query(parameters: Mapping[str, Sequence[str]]) -> bytes:
    pairs = [(key, value) for key, values in parameters.items() for value in values]
    try:
        return (canonical_query(urlencode(pairs)) or "").encode()
    except EncodingError:
        hint = f"must not have more than {MAX_QUERY} characters"
        raise InvalidRequest(Violation("queryParams", hint)) from None


def offline_data(uri_id: str, nonce: bytes, data: str) -> str:
    """The data behind an offline code, without the trailing ``&offline`` (§14.2)."""
    return signature_base(OFFLINE_METHOD, uri_id, nonce, data.encode())


def typed_code(otp: str, *, one_factor: bool) -> str:
    """The code a user has typed, as components of 8 digits joined by ``-``.

    :param one_factor: a code of a single component is possible
    :raises OtpInvalid: another number of digits, or something else than digits, spaces and dashes
    """
    digits = _GROUPING.sub("", otp)
    if not _DIGITS.fullmatch(digits):
        raise OtpInvalid
    if len(digits) == _TWO_FACTORS:
        return f"{digits[:COMPONENT_LENGTH]}-{digits[COMPONENT_LENGTH:]}"
    if len(digits) == COMPONENT_LENGTH and one_factor:
        return digits
    raise OtpInvalid


def unknown_registration(registration_id: str) -> VerifySignatureResponse:
    """What the core answers for an id it does not know: the same goes for one that is not the caller's."""
    return VerifySignatureResponse(
        signature_valid=False, activation_id=registration_id, activation_status=ActivationStatus.REMOVED
    )


def signature_verified(answer: VerifySignatureResponse, version: str) -> SignatureVerified:
    """The answer of §7.1; only id and status when the core says no more."""
    return made(
        SignatureVerified,
        **_registration_facts(answer),
        signature_valid=answer.signature_valid,
        remaining_attempts=answer.remaining_attempts,
        version=None if answer.user_id is None else version,
    )


def otp_verified(answer: VerifySignatureResponse) -> OtpVerified:
    """The answer of §5.5 and §7.3."""
    return made(
        OtpVerified,
        **_registration_facts(answer),
        otp_valid=answer.signature_valid,
        remaining_attempts=answer.remaining_attempts,
    )


def token_verified(answer: ValidateTokenResponse, applications: Sequence[str]) -> TokenVerified:
    """The answer of §7.2; nothing but "no" for a token that is unknown or not the caller's."""
    if answer.application_id not in applications:
        return TokenVerified(token_valid=False)
    return made(TokenVerified, **_registration_facts(answer), token_valid=answer.token_valid)


def _registration_facts(answer: VerifySignatureResponse | ValidateTokenResponse) -> dict[str, object]:
    """Members of `Verified`."""
    facts: dict[str, object] = {
        "registration_id": answer.activation_id,
        "registration_status": answer.activation_status,
        "blocked_reason": answer.blocked_reason,
    }
    if answer.user_id is not None:
        facts |= {
            "user_id": answer.user_id,
            "signature_type": answer.signature_type,
            "application_id": answer.application_id,
            "flags": answer.activation_flags,
            "application_roles": answer.application_roles,
        }
    return facts
