"""Every error of the public API, by its code (spec/enrollment-api.md §5, §10.7, §10.8).

The classes of the first group answer everywhere; those named for the mobile token only there. An
authentication failure never says why.
"""

from __future__ import annotations

from collections.abc import Sequence

from servicekit.errors import (
    ErrorAnswer,
    ErrorContext,
    ErrorFamily,
    InputProblem,
    ServiceError,
    envelope,
    fixed,
    plain_service_error,
)


class SignatureInvalid(ServiceError):
    """Not authenticated: signature or token, whatever the reason."""

    code = "ERR_AUTHENTICATION"
    http_status = 401
    message = "POWER_AUTH_SIGNATURE_INVALID"


class RequestInvalid(ServiceError):
    """An envelope or a request object is unusable, found out after authentication."""

    code = "ERR_AUTHENTICATION"
    http_status = 401
    message = "POWER_AUTH_REQUEST_INVALID"


class TokenFailed(ServiceError):
    """The core did not issue or remove a token."""

    code = "ERR_AUTHENTICATION"
    http_status = 401
    message = "POWER_AUTH_TOKEN_ERROR"


class RecoveryConfirmFailed(ServiceError):
    """The core did not confirm a recovery code."""

    code = "ERR_AUTHENTICATION"
    http_status = 401
    message = "POWER_AUTH_RECOVERY_CONFIRM_ERROR"


class ActivationFailed(ServiceError):
    """An activation could not be created, read, renamed or removed."""

    code = "ERR_ACTIVATION"
    message = "POWER_AUTH_ACTIVATION_INVALID"


class RecoveryCodeInvalid(ServiceError):
    """A recovery code with a wrong PUK; carries `currentRecoveryPukIndex`."""

    code = "INVALID_RECOVERY_CODE"
    message = "POWER_AUTH_RECOVERY_INVALID"


class VaultFailed(ServiceError):
    """The vault was not unlocked for a reason other than authentication."""

    code = "ERR_SECURE_VAULT"
    message = "POWER_AUTH_SECURE_VAULT_INVALID"


class EncryptionFailed(ServiceError):
    """An envelope could not be opened."""

    code = "ERR_ENCRYPTION"
    message = "POWER_AUTH_ENCRYPTION_FAILED"


class UpgradeFailed(ServiceError):
    """A protocol upgrade was refused."""

    code = "ERR_UPGRADE"
    message = "POWER_AUTH_UPGRADE_FAILED"


class UserInfoFailed(ServiceError):
    """No user info for this activation."""

    code = "ERR_USER_INFO"
    message = "POWER_AUTH_USER_INFO_ERROR"


class TemporaryKeyFailed(ServiceError):
    """No temporary key was issued."""

    code = "ERR_TEMPORARY_KEY"
    message = "POWER_AUTH_TEMPORARY_KEY_FAILURE"


class InvalidRequest(ServiceError):
    """A request object that cannot be used."""

    code = "INVALID_REQUEST"
    message = "Invalid request object."


class PushRegistrationFailed(ServiceError):
    """The push service did not register the device."""

    code = "PUSH_REGISTRATION_FAILED"
    message = "Push registration failed in Mobile Token API component."


class InboxFailed(ServiceError):
    """The push service did not serve the inbox, or the message is not the caller's."""

    code = "INBOX_FAILED"
    message = "Unable to process inbox request."


class ActivationCodeFailed(ServiceError):
    """The core opened no activation for another application or phone."""

    code = "ACTIVATION_CODE_FAILED"
    message = "Unable to fetch activation code."


class ApplicationConfigurationFailed(ServiceError):
    """The application has no such public configuration."""

    code = "APPLICATION_CONFIGURATION_ERROR"
    message = "Unable to fetch application configuration."


class UnknownIssuer(ServiceError):
    """No tokens are issued under this address."""

    code = "ERROR_NOT_FOUND"
    http_status = 404
    message = "Resource not found."


class TextsUnusable(ServiceError):
    """The texts of an operation are broken JSON."""

    code = "ERR_CONFIG"
    http_status = 500
    message = "Invalid JSON structure for the configuration."


class TooManyRequests(ServiceError):
    """A rate limit of this service or of the core."""

    code = "TOO_MANY_REQUESTS"
    http_status = 429
    message = "Too many requests."


class UnsupportedMediaType(ServiceError):
    """A body that is declared to be something other than JSON."""

    http_status = 415
    message = "Unsupported content type."


class AuthenticationFailed(ServiceError):
    """Not authenticated, in the mobile token API."""

    code = "POWERAUTH_AUTH_FAIL"
    http_status = 401
    message = "Authentication failed"


class OperationFailed(ServiceError):
    """The core refused an approval or a rejection and the operation is still pending."""

    code = "OPERATION_FAILED"
    http_status = 401


class OperationAlreadyCanceled(ServiceError):
    """The operation was canceled."""

    code = "OPERATION_ALREADY_CANCELED"
    message = "Operation was already canceled"


class OperationAlreadyFinished(ServiceError):
    """The operation was approved or rejected."""

    code = "OPERATION_ALREADY_FINISHED"
    message = "Operation was already completed"


class OperationAlreadyFailed(ServiceError):
    """The operation failed too often."""

    code = "OPERATION_ALREADY_FAILED"
    message = "Operation already failed"


class OperationExpired(ServiceError):
    """The operation is too old."""

    code = "OPERATION_EXPIRED"
    message = "Operation already expired"


class InvalidOperation(ServiceError):
    """No such operation for this caller."""

    code = "INVALID_OPERATION"
    message = "No operation was found with the provided identifier."


class InvalidApplication(ServiceError):
    """The core does not know the application."""

    code = "INVALID_APPLICATION"
    message = "No application was found with the provided identifier."


class ActivationFlagMissing(ServiceError):
    """The operation asks for a flag that the activation does not have."""

    code = "OPERATION_REQUIRES_ACTIVATION_FLAG"


class AccessTokenInvalid(ServiceError):
    """A bearer token is missing or not accepted (spec/device-trust.md §0.4).

    :ivar challenge: value of ``WWW-Authenticate``
    """

    code = "ACCESS_TOKEN_INVALID"
    http_status = 401
    message = "Access token is invalid."

    def __init__(self, max_age: int | None = None) -> None:
        """:param max_age: it is good but for its age, of at most so many seconds"""
        super().__init__()
        self.challenge = 'Bearer error="invalid_token"'
        if max_age is not None:
            self.challenge = f'Bearer error="insufficient_user_authentication", max_age={max_age}'


class TicketNotFound(ServiceError):
    """A ticket of the bank is unknown, over or used: one answer (spec/device-trust.md §1.6)."""

    code = "TICKET_NOT_FOUND"
    http_status = 404
    message = "Ticket was not found."


class FeatureDisabled(ServiceError):
    """The application does not have what is asked for (spec/device-trust.md §0.4)."""

    code = "FEATURE_DISABLED"
    http_status = 403
    message = "The application does not use this feature."


class PasskeySessionInvalid(ServiceError):
    """No such ceremony: unknown, over, or answered before (spec/device-trust.md §4.9)."""

    code = "PASSKEY_SESSION_INVALID"
    message = "The session is not valid."


class PasskeyFailed(ServiceError):
    """A passkey proved nothing, whatever the reason (spec/device-trust.md §4.9)."""

    code = "PASSKEY_FAILED"
    http_status = 401
    message = "Authentication failed."


class PasskeyLocked(ServiceError):
    """Too many failures; carries `lockedUntil` in ms (spec/device-trust.md §4.9)."""

    code = "PASSKEY_LOCKED"
    http_status = 403
    message = "Too many failed attempts."


class PasskeyNotFound(ServiceError):
    """No such passkey of this user."""

    code = "PASSKEY_NOT_FOUND"
    http_status = 404
    message = "The passkey was not found."


class PasskeyDenied(ServiceError):
    """The application's policy refuses the passkey; the code says which part of it
    (spec/device-trust.md §4.8).
    """

    http_status = 403
    message = "The passkey is not allowed."

    def __init__(self, code: str) -> None:
        super().__init__()
        self.code = code
        if code == "PASSKEY_MDS_UNAVAILABLE":
            self.http_status = 503


UNEXPECTED_CODE = "ERROR_GENERIC"
UNEXPECTED_MESSAGE = "Unknown error occurred while processing request."


def _validation(_context: ErrorContext, _problems: Sequence[InputProblem]) -> ErrorAnswer:
    return ErrorAnswer(400, envelope(InvalidRequest.code, InvalidRequest.message))


def _service_error(context: ErrorContext, error: ServiceError) -> ErrorAnswer:
    worded = plain_service_error(context, error)
    if not isinstance(error, AccessTokenInvalid):
        return worded
    return ErrorAnswer(worded.status, worded.content, {"WWW-Authenticate": error.challenge})


ENROLLMENT_ERRORS = ErrorFamily(
    service_error=_service_error,
    validation=_validation,
    not_found=fixed(404, "ERROR_NOT_FOUND", "Resource not found."),
    method_not_allowed=fixed(405, UNEXPECTED_CODE, "Request method is not supported."),
    not_implemented=fixed(501, UNEXPECTED_CODE, "Request method is not implemented."),
    too_large=fixed(413, UNEXPECTED_CODE, "Request is too large."),
    unsupported_media_type=fixed(415, UNEXPECTED_CODE, UnsupportedMediaType.message),
    unauthorized=fixed(401, SignatureInvalid.code, SignatureInvalid.message),
    unavailable=fixed(503, UNEXPECTED_CODE, "Service is temporarily unavailable."),
    unexpected=fixed(500, UNEXPECTED_CODE, UNEXPECTED_MESSAGE),
    too_many_requests=fixed(429, TooManyRequests.code, TooManyRequests.message),
    remote_unavailable=fixed(409, "REMOTE_COMMUNICATION_ERROR", "Communication with remote system failed."),
)
"""Errors on the wire; an outage of the core is 409, never an authentication failure (§4.7)."""
