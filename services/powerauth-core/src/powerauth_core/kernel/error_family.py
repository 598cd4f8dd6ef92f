"""How the core words its errors (spec/core-api.md §1.2)."""

from collections.abc import Sequence

from powerauth_core.kernel.errors import AuthenticationFailed, InvalidRequest, UnknownError
from servicekit.errors import (
    ErrorAnswer,
    ErrorContext,
    ErrorFamily,
    InputProblem,
    ServiceError,
    envelope,
    fixed,
)

UNREADABLE = "ERROR_HTTP_REQUEST"
NOT_FOUND = "ERROR_NOT_FOUND"


def _service_error(_context: ErrorContext, error: ServiceError) -> ErrorAnswer:
    content = envelope(error.code, error.message, localizedMessage=error.message, **error.extra)
    return ErrorAnswer(error.http_status, content)


def _validation(_context: ErrorContext, problems: Sequence[InputProblem]) -> ErrorAnswer:
    """Mistyped JSON is ``ERROR_HTTP_REQUEST``; anything else ``ERR0024`` naming every field, sorted."""
    refusals = ", ".join(
        sorted(
            f"{problem.field} - {problem.message}" if problem.field else problem.message
            for problem in problems
        )
    )
    if any(map(_unreadable, problems)):
        message = f"The request cannot be read: {refusals}"
        # Clients of the original read the index from any error body.
        return ErrorAnswer(
            400, envelope(UNREADABLE, message, localizedMessage=message, currentRecoveryPukIndex=0)
        )
    message = refusals or InvalidRequest.message
    return ErrorAnswer(400, envelope(InvalidRequest.code, message, localizedMessage=message))


def _unreadable(problem: InputProblem) -> bool:
    """Whether the JSON itself is at fault; a null where something is required is only an invalid request."""
    whole_body = problem.kind in ("json_invalid", "body_unreadable")
    return whole_body or (problem.unreadable and problem.value is not None)


CORE_FAMILY = ErrorFamily(
    service_error=_service_error,
    validation=_validation,
    not_found=fixed(404, NOT_FOUND, "Resource not found.", localizedMessage=None),
    method_not_allowed=fixed(405, "ERROR_METHOD_NOT_ALLOWED", "Method not allowed.", localizedMessage=None),
    not_implemented=fixed(501, "ERROR_NOT_IMPLEMENTED", "Method not implemented.", localizedMessage=None),
    too_large=fixed(413, "ERROR_REQUEST_TOO_LARGE", "The request is too large.", localizedMessage=None),
    unsupported_media_type=fixed(
        415, "ERROR_UNSUPPORTED_MEDIA_TYPE", "The content type is not supported.", localizedMessage=None
    ),
    unauthorized=fixed(401, AuthenticationFailed.code, AuthenticationFailed.message),
    unavailable=fixed(
        503, "ERROR_UNAVAILABLE", "The service is temporarily unavailable.", localizedMessage=None
    ),
    too_many_requests=fixed(429, "ERROR_TOO_MANY_REQUESTS", "Too many requests.", localizedMessage=None),
    unexpected=fixed(500, UnknownError.code, UnknownError.message, localizedMessage=UnknownError.message),
)
