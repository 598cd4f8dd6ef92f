"""Which error of this API a core error becomes (spec/cloud-api.md §1.7). One table, by area."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from enum import Enum, auto
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from cloud_private_api.errors import (
    AttestationLocked,
    CloudError,
    Fido2Refused,
    InvalidRequest,
    ListsExclusive,
    MetadataNotLoaded,
    NotFound,
    OidcClientExists,
    OidcClientNotFound,
    OperationNotFound,
    OperationStateChangeRefused,
    OtpInvalid,
    PreconditionFailed,
    RegistrationChangeRefused,
    RegistrationNotFound,
    RegistrationRefused,
    SignatureInvalid,
    SigningKeyNotFound,
    SigningKeyStateInvalid,
    TokenInvalid,
    TooManyRequests,
    UpstreamFailed,
    Violation,
)
from powerauth_contracts.texts import CoreRefused
from servicekit.logs import get_logger

P = ParamSpec("P")
R = TypeVar("R")

_log = get_logger(__name__)


class Area(Enum):
    """A column of the table."""

    REGISTRATIONS = auto()
    OPERATIONS = auto()
    SIGNATURES = auto()
    TOKENS = auto()
    ADMIN = auto()
    PASSKEYS = auto()
    FIDO2 = auto()


class CoreCode:
    """Codes of the core that are told apart here (spec/core-api.md §28)."""

    ACTIVATION_EXPIRED = "ERR0007"
    ACTIVATION_STATE = "ERR0008"
    ACTIVATION_NOT_FOUND = "ERR0009"
    KEY_INVALID = "ERR0010"
    INPUT_INVALID = "ERR0011"
    URL_INVALID = "ERR0014"
    APPLICATION_UNKNOWN = "ERR0015"
    CRYPTO_FAILED = "ERR0022"
    REQUEST_INVALID = "ERR0024"
    TOKEN_TOO_OLD = "ERR0030"  # noqa: S105 - an error code
    OTP_MISMATCH = "ERR0031"
    OTP_WRONG_MODE = "ERR0032"
    TEMPLATE_NOT_FOUND = "ERR0033"
    OPERATION_NOT_FOUND = "ERR0034"
    OPERATION_STATE = "ERR0036"
    OPERATION_NOT_APPROVABLE = "ERR0037"
    OPERATION_NOT_REJECTABLE = "ERR0038"
    TEMPLATE_EXISTS = "ERR0039"
    ACTIVATION_REFUSED = "ERR0040"
    APPLICATION_EXISTS = "ERR0043"
    TOKEN_IN_FUTURE = "ERR0044"  # noqa: S105 - an error code
    SIGNING_KEY_NOT_FOUND = "ERR_JWT_KEY_NOT_FOUND"
    SIGNING_KEY_STATE = "ERR_JWT_KEY_STATE"
    SIGNING_KEY_INVALID = "ERR_JWT_KEY_INVALID"
    OIDC_CLIENT_NOT_FOUND = "ERR_OIDC_CLIENT_NOT_FOUND"
    OIDC_CLIENT_EXISTS = "ERR_OIDC_CLIENT_EXISTS"
    TELEMETRY = "ERROR_TELEMETRY"
    MDS_INVALID = "MDS_INVALID"
    MDS_ROLLBACK = "MDS_ROLLBACK"
    UNREADABLE = "ERROR_HTTP_REQUEST"
    TOO_MANY = "ERROR_TOO_MANY_REQUESTS"
    LISTS_EXCLUSIVE = "PASSKEY_LISTS_EXCLUSIVE"
    ATTESTATION_LOCKED = "PASSKEY_ATTESTATION_LOCKED"
    POLICY_CHANGED = "PASSKEY_POLICY_CHANGED"
    POLICY_IMPACT = "PASSKEY_POLICY_IMPACT"
    MDS_NOT_LOADED = "MDS_NOT_LOADED"


Make = Callable[[], CloudError]


def _unknown_template() -> CloudError:
    return InvalidRequest(Violation("template", "must be an existing template"))


def _bad_callback_url() -> CloudError:
    # Forms were judged before the core was asked: what it refuses is where the URL leads.
    hint = "must lead to an address that the core may call (CORE_EGRESS_ALLOWED_NETWORKS)"
    return InvalidRequest(Violation("callbackUrl", hint))


def _bad_key() -> CloudError:
    return InvalidRequest(Violation("jwk", "must be a private RSA key of 2048 bits or more, exponent 65537"))


_INVALID: Mapping[Area, Make] = {
    Area.REGISTRATIONS: InvalidRequest,
    Area.OPERATIONS: InvalidRequest,
    Area.SIGNATURES: SignatureInvalid,
    Area.TOKENS: TokenInvalid,
    Area.ADMIN: InvalidRequest,
    Area.PASSKEYS: InvalidRequest,
}
_DUPLICATE: Mapping[Area, Make] = {Area.ADMIN: lambda: InvalidRequest(message="Name is already in use")}
_CHANGE_REFUSED: Mapping[Area, Make] = {
    Area.REGISTRATIONS: RegistrationChangeRefused,
    Area.OPERATIONS: RegistrationChangeRefused,
}
_OPERATION_STATE: Mapping[Area, Make] = {Area.OPERATIONS: OperationStateChangeRefused}

_TABLE: Mapping[str, Mapping[Area, Make]] = {
    CoreCode.ACTIVATION_EXPIRED: _CHANGE_REFUSED,
    CoreCode.ACTIVATION_STATE: _CHANGE_REFUSED,
    CoreCode.ACTIVATION_NOT_FOUND: {
        Area.REGISTRATIONS: RegistrationNotFound,
        Area.OPERATIONS: RegistrationNotFound,
        Area.SIGNATURES: RegistrationNotFound,
        Area.PASSKEYS: RegistrationNotFound,
    },
    CoreCode.URL_INVALID: {Area.ADMIN: _bad_callback_url},
    CoreCode.APPLICATION_UNKNOWN: {
        Area.REGISTRATIONS: RegistrationRefused,
        Area.OPERATIONS: InvalidRequest,
        Area.ADMIN: NotFound,
        Area.PASSKEYS: NotFound,
    },
    CoreCode.REQUEST_INVALID: _INVALID,
    CoreCode.UNREADABLE: _INVALID,
    CoreCode.TOKEN_TOO_OLD: {Area.TOKENS: TokenInvalid},
    CoreCode.TOKEN_IN_FUTURE: {Area.TOKENS: TokenInvalid},
    CoreCode.OTP_MISMATCH: {Area.REGISTRATIONS: OtpInvalid},
    CoreCode.OTP_WRONG_MODE: {Area.REGISTRATIONS: OtpInvalid},
    CoreCode.TEMPLATE_NOT_FOUND: {Area.OPERATIONS: _unknown_template, Area.ADMIN: NotFound},
    CoreCode.OPERATION_NOT_FOUND: {Area.OPERATIONS: OperationNotFound},
    CoreCode.OPERATION_STATE: _OPERATION_STATE,
    CoreCode.OPERATION_NOT_APPROVABLE: _OPERATION_STATE,
    CoreCode.OPERATION_NOT_REJECTABLE: _OPERATION_STATE,
    CoreCode.TEMPLATE_EXISTS: _DUPLICATE,
    CoreCode.APPLICATION_EXISTS: _DUPLICATE,
    CoreCode.ACTIVATION_REFUSED: {Area.REGISTRATIONS: InvalidRequest},
    CoreCode.TOO_MANY: dict.fromkeys((Area.OPERATIONS, Area.FIDO2), lambda: TooManyRequests(retry_after=60)),
    CoreCode.SIGNING_KEY_NOT_FOUND: {Area.ADMIN: SigningKeyNotFound},
    CoreCode.SIGNING_KEY_STATE: {Area.ADMIN: SigningKeyStateInvalid},
    CoreCode.SIGNING_KEY_INVALID: {Area.ADMIN: _bad_key},
    CoreCode.OIDC_CLIENT_NOT_FOUND: {Area.ADMIN: OidcClientNotFound},
    CoreCode.OIDC_CLIENT_EXISTS: {Area.ADMIN: OidcClientExists},
    CoreCode.TELEMETRY: {Area.ADMIN: InvalidRequest},
    CoreCode.LISTS_EXCLUSIVE: {Area.PASSKEYS: ListsExclusive},
    CoreCode.ATTESTATION_LOCKED: {Area.PASSKEYS: AttestationLocked},
    CoreCode.POLICY_CHANGED: {Area.PASSKEYS: PreconditionFailed},
    CoreCode.MDS_NOT_LOADED: {Area.PASSKEYS: MetadataNotLoaded},
}


_CORE_CODES = "ERR"
_MEMBER = "requestObject."
_NAMES: Mapping[str, str] = {
    "activationFlag": "flag",
    "activationFlags": "flags",
    "activationName": "name",
    "activationOtp": "otp",
    "applicationId": "appId",
    "policy": "webauthn_api",
    "templateName": "template",
    "timestampActivationExpire": "timestampRegistrationExpire",
}
"""How members of the core's requests are called here, outside of administration."""


def _violations(message: str, area: Area, inside: str) -> Iterator[Violation]:
    """What the core said about members, the last first: ``requestObject.<member> - <sentence>`` each."""
    names = {} if area is Area.ADMIN else _NAMES
    hint = ""
    for part in reversed(message.partition(_MEMBER)[2].split(f", {_MEMBER}")):
        path, separator, sentence = part.partition(" - ")
        # Members with one sentence in common stand before it.
        hint = sentence if separator else hint
        first, dot, rest = path.removeprefix(inside).partition(".")
        if first and hint:
            yield Violation(f"{names.get(first, first)}{dot}{rest}", hint)


def translated(refusal: CoreRefused, area: Area, inside: str = "") -> CloudError:
    """What a refusal of the core means to a caller of ``area``; the core's code goes to the log only.

    :param inside: path in the core's request of what the caller's request is, with its dot
    """
    make = _TABLE.get(refusal.code, {}).get(area)
    if make is None and area is Area.FIDO2 and refusal.code.startswith(_CORE_CODES):
        make = partial(Fido2Refused, refusal.details.get("reason"))
    if make is None:
        _log.error("core refused with an unmapped code", error_code=refusal.code, path=refusal.path)
        return UpstreamFailed()
    _log.info("core refused", error_code=refusal.code, path=refusal.path)
    if make is InvalidRequest:
        message = str(refusal.details.get("message") or "")
        return InvalidRequest(*reversed(list(_violations(message, area, inside))))
    return make()


def in_area(area: Area) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Decorate a use case: core refusals that it does not handle itself become errors of ``area``."""

    def decorate(use_case: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        @wraps(use_case)
        async def run(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return await use_case(*args, **kwargs)
            except CoreRefused as refusal:
                raise translated(refusal, area) from None

        return run

    return decorate
