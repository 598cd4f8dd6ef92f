"""Errors of this API and how they look on the wire (spec/cloud-api.md §1.5, §1.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from servicekit.errors import (
    ErrorAnswer,
    ErrorContext,
    ErrorFamily,
    InputProblem,
    ServiceError,
    envelope,
    fixed,
)

MASKED = "***"
REALM = "powerauth-cloud"
_MASKED_FIELDS = frozenset(
    {
        "otp",
        "password",
        "clientSecret",
        "privateKeyBase64",
        "authHeader",
        "keyPassword",
        "keyStorePassword",
        "trustStorePassword",
    }
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with a request.

    :ivar field: JSON path of a body property, or the name of a query or path parameter
    :ivar hint: English text
    :ivar value: what was received; None when nothing was
    :ivar parameter: the field is a parameter, named on the wire after the operation
    """

    field: str
    hint: str
    value: object = None
    parameter: bool = False

    def to_wire(self, operation_id: str | None) -> dict[str, object]:
        """The member of ``violations``; secrets masked, nested values left out."""
        name = f"{operation_id}.{self.field}" if self.parameter and operation_id else self.field
        shown: dict[str, object] = {"fieldName": name}
        if isinstance(self.value, str | int | float):
            masked = not _MASKED_FIELDS.isdisjoint(self.field.split("."))
            shown["invalidValue"] = MASKED if masked else self.value
        shown["hint"] = self.hint
        return shown


class CloudError(ServiceError):
    """Base of the refusals of this API. ``operation_id`` is set on the way out, by the route."""

    operation_id: str | None = None
    violations: tuple[Violation, ...] = ()


class InvalidRequest(CloudError):
    """Something in the request cannot be used."""

    code = "ERROR_REQUEST"
    message = "Request is invalid"

    def __init__(self, *violations: Violation, message: str | None = None) -> None:
        if message is None and violations:
            first = violations[0]
            kind = "parameter" if first.parameter else "property"
            message = f"Required {kind} '{first.field}' is invalid"
        super().__init__(message)
        self.violations = violations


class RegistrationRefused(CloudError):
    """The registration cannot be created."""

    code = "ERROR_REGISTRATION"
    message = "Registration cannot be created"


class RegistrationNotFound(CloudError):
    """Unknown, or not the caller's: the two look alike."""

    code = "ERROR_REGISTRATION_NOT_FOUND"
    message = "Registration was not found"


class RegistrationNotAllowed(CloudError):
    """Another registration is in progress and the caller asked to be told."""

    code = "ERROR_REGISTRATION_NOT_ALLOWED"
    message = "Another registration is in progress"


class RegistrationChangeRefused(CloudError):
    """The state of the registration does not allow the change."""

    code = "ERROR_REGISTRATION_CHANGE"
    message = "Registration state does not allow this change"


class OtpInvalid(CloudError):
    """The one-time password has a wrong format or value."""

    code = "ERROR_OTP_INVALID"
    message = "One-time password is invalid"


class OperationNotFound(CloudError):
    """Unknown, or not the caller's: the two look alike."""

    code = "ERROR_OPERATION_NOT_FOUND"
    message = "Operation was not found"


class OperationStateChangeRefused(CloudError):
    """The state of the operation does not allow the change."""

    code = "ERROR_OPERATION_STATE_CHANGE"
    message = "Operation state does not allow this change"


class SignatureInvalid(CloudError):
    """The authorization header is malformed; an incorrect code in a well-formed one is no error."""

    code = "ERROR_SIGNATURE_INVALID"
    message = "Authorization header is invalid"


class TokenInvalid(CloudError):
    """The token header is malformed, of an unsupported version or outside its time."""

    code = "ERROR_TOKEN_INVALID"
    message = "Token header is invalid"


class SigningKeyNotFound(CloudError):
    """Unknown in this application."""

    code = "SIGNING_KEY_NOT_FOUND"
    message = "Signing key was not found"
    http_status = 404


class SigningKeyStateInvalid(CloudError):
    """The key's state does not allow the change, or the key is there already."""

    code = "SIGNING_KEY_STATE_INVALID"
    message = "Signing key state does not allow this change"
    http_status = 409


class OidcClientNotFound(CloudError):
    """Unknown in this application."""

    code = "OIDC_CLIENT_NOT_FOUND"
    message = "Client was not found"
    http_status = 404


class OidcClientExists(CloudError):
    """The id is taken, by a client or as a resource."""

    code = "OIDC_CLIENT_EXISTS"
    message = "Client id is already in use"
    http_status = 409


class AuditRefused(CloudError):
    """The audit query has unusable dates or no user."""

    code = "ERROR_AUDIT"
    message = "Audit query is invalid"


class Fido2Refused(CloudError):
    """The core refuses a passkey, or what was asked about one.

    :param reason: code of the application's policy, where it is that
    """

    code = "ERROR_FIDO2"
    message = "Passkey was refused"

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(extra={} if reason is None else {"reason": reason})


class Fido2Invalid(InvalidRequest):
    """A request about a passkey can not be read, or lacks something."""

    code = "ERROR_HTTP_REQUEST"


class ListsExclusive(CloudError):
    """A passkey policy has both lists of models."""

    code = "PASSKEY_LISTS_EXCLUSIVE"
    message = "There can be one list of AAGUIDs, of those allowed or of those blocked"


class AttestationLocked(CloudError):
    """A passkey policy that looks at attestations asks browsers for none."""

    code = "PASSKEY_ATTESTATION_LOCKED"
    message = "The attestation type is direct while the policy depends on attestations"


class MetadataNotLoaded(CloudError):
    """A passkey policy needs metadata of authenticators, and none was ever loaded."""

    code = "MDS_NOT_LOADED"
    message = "The policy needs metadata of authenticators, and none is loaded"
    http_status = 409


class PolicyImpact(CloudError):
    """A change of a passkey policy takes passkeys from users, and nobody said that it may; ``extra`` has the
    figures.
    """

    code = "PASSKEY_POLICY_IMPACT"
    message = "The change would stop passkeys that work today"
    http_status = 409


class PreconditionFailed(CloudError):
    """What is to be changed is of another version than the request says."""

    code = "HTTP_412"
    message = "Changed meanwhile"
    http_status = 412


class MetadataInvalid(CloudError):
    """Metadata of authenticators is not taken.

    :param reason: what of it did not hold
    """

    code = "MDS_INVALID"
    message = "The metadata is not valid"

    def __init__(self, reason: str) -> None:
        super().__init__(extra={"reason": reason})


class MetadataRollback(CloudError):
    """Metadata of authenticators is not newer than what is in force."""

    code = "MDS_ROLLBACK"
    message = "The metadata is not newer than what is in force"
    http_status = 409


class NotFound(CloudError):
    """An unknown path or administrative resource."""

    code = "ERROR_NOT_FOUND"
    message = "Resource was not found"
    http_status = 404


class Unauthorized(CloudError):
    """No or bad credentials.

    :ivar reason: what is wrong with a token, for its holder: quotable, nothing of the token itself
    """

    code = "HTTP_401"
    message = "Unauthorized"
    http_status = 401

    def __init__(self, reason: str | None = None) -> None:
        super().__init__()
        self.reason = reason


class Forbidden(CloudError):
    """The caller lacks the role or the application.

    :ivar reason: which one, quotable
    """

    code = "HTTP_403"
    message = "Forbidden"
    http_status = 403

    def __init__(self, reason: str | None = None) -> None:
        super().__init__()
        self.reason = reason


class TooManyRequests(CloudError):
    """Over a limit; ``retry_after`` says for how long."""

    code = "HTTP_429"
    message = "Too many requests"
    http_status = 429


class NotAcceptable(CloudError):
    """The caller accepts no JSON."""

    code = "HTTP_406"
    message = "Not acceptable"
    http_status = 406


class UnsupportedMediaType(CloudError):
    """The request body is not declared as JSON."""

    code = "HTTP_415"
    message = "Unsupported media type"
    http_status = 415


class UpstreamFailed(CloudError):
    """The core, or push, refused with a code that has no meaning here."""

    code = "ERROR_INTERNAL_API"
    message = "Unable to call upstream service"
    http_status = 500


class PushMessageRefused(CloudError):
    """The push message says nothing, or push does not take it."""

    code = "ERROR_PUSH_MESSAGE"
    message = "Push message is invalid"

    def __init__(self, message: str | None = None, *, violations: Sequence[Violation] = ()) -> None:
        super().__init__(message)
        self.violations = tuple(violations)


class InboxRefused(PushMessageRefused):
    """The inbox request cannot be used, or push does not take it."""

    code = "ERROR_INBOX"
    message = "Inbox request is invalid"


class InboxMessageNotFound(CloudError):
    """Unknown, or not the caller's: the two look alike."""

    code = "ERROR_INBOX_NOT_FOUND"
    message = "Message was not found"


class PushUnreachable(CloudError):
    """The push service cannot be reached, or is in trouble with what it was asked, or there is none."""

    code = "ERROR_UNABLE_TO_CALL_UPSTREAM_SERVICE"
    message = "Unable to call upstream service"
    http_status = 500


class PushAway(PushUnreachable):
    """The push service takes nothing now, whatever it is asked: not there, not ready, or as follows."""


class PushForbidden(PushAway):
    """The push service refuses our credentials."""


_BEARER = "Bearer "


def violations_of(problems: Sequence[InputProblem]) -> tuple[Violation, ...]:
    """What the validation found, in the words of this API."""
    found = []
    for problem in problems:
        if not problem.location:
            continue
        value = problem.value
        if problem.source != "body" and problem.kind.startswith(("greater_", "less_")):
            value = _as_number(value)
        found.append(
            Violation(
                field=problem.field,
                hint=problem.message,
                value=None if problem.kind == "missing" else value,
                parameter=problem.source != "body",
            )
        )
    return tuple(found)


def _as_number(value: object) -> object:
    try:
        return int(str(value))
    except ValueError:
        return value


def invalid_request(problems: Sequence[InputProblem]) -> InvalidRequest:
    """The refusal of a request that did not validate."""
    violations = violations_of(problems)
    if not violations:
        reasons = {problem.message for problem in problems if problem.kind == "json_invalid"}
        return InvalidRequest(message=": ".join(["Request body is missing or unreadable", *reasons]))
    first = violations[0]
    if first.parameter:
        kind = "Long " if isinstance(first.value, int) and not isinstance(first.value, bool) else ""
        return InvalidRequest(*violations, message=f"Required {kind}parameter '{first.field}' is invalid")
    return InvalidRequest(*violations)


def _service_error(_context: ErrorContext, error: ServiceError) -> ErrorAnswer:
    extra: dict[str, object] = dict(error.extra)
    headers: dict[str, str] = {}
    if isinstance(error, CloudError) and error.violations:
        extra["violations"] = [violation.to_wire(error.operation_id) for violation in error.violations]
    return ErrorAnswer(error.http_status, envelope(error.code, error.message, **extra), headers)


def _validation(_context: ErrorContext, problems: Sequence[InputProblem]) -> ErrorAnswer:
    return _service_error(_context, invalid_request(problems))


def _explained(challenge: str, error: Unauthorized | Forbidden) -> str:
    """The challenge with what a client's log should show (RFC 6750 §3)."""
    kind = "invalid_token" if isinstance(error, Unauthorized) else "insufficient_scope"
    return f'{challenge}, error="{kind}", error_description="{error.reason}"'


def cloud_errors(challenge: str) -> ErrorFamily:
    """The error family of this API.

    :param challenge: ``WWW-Authenticate`` of a 401
    """
    unauthorized = ErrorAnswer(
        401, envelope(Unauthorized.code, Unauthorized.message), {"WWW-Authenticate": challenge}
    )

    def service_error(context: ErrorContext, error: ServiceError) -> ErrorAnswer:
        if not isinstance(error, Unauthorized | Forbidden):
            return _service_error(context, error)
        answer = unauthorized if isinstance(error, Unauthorized) else _service_error(context, error)
        if error.reason is None or not challenge.startswith(_BEARER):
            return answer
        return replace(answer, headers={"WWW-Authenticate": _explained(challenge, error)})

    return ErrorFamily(
        validation=_validation,
        not_found=fixed(404, NotFound.code, NotFound.message),
        method_not_allowed=fixed(405, "HTTP_405", "Method not allowed"),
        not_implemented=fixed(501, "HTTP_501", "Method not implemented"),
        too_large=fixed(413, "ERROR_REQUEST", "Request is too large"),
        unsupported_media_type=fixed(415, UnsupportedMediaType.code, UnsupportedMediaType.message),
        unauthorized=lambda _context: unauthorized,
        forbidden=fixed(403, Forbidden.code, Forbidden.message),
        too_many_requests=fixed(429, TooManyRequests.code, TooManyRequests.message),
        # The core's outage or the database's: to a caller there is no difference (D27).
        unavailable=fixed(503, UpstreamFailed.code, "Service is temporarily unavailable"),
        remote_unavailable=fixed(503, UpstreamFailed.code, UpstreamFailed.message),
        unexpected=fixed(500, "ERROR_GENERIC", "Unexpected error occurred"),
        service_error=service_error,
    )
