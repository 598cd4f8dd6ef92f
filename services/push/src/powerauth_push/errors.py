"""Errors of this API and how they look on the wire (spec/push-api.md §3)."""

from __future__ import annotations

from collections.abc import Sequence

from powerauth_contracts.push.table import CALLS
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
INVALID_PARAMETER = "Invalid method parameter value"
_MASKED_FIELDS = frozenset({"privateKeyBase64", "clientSecret", "token"})
_DECLARING = frozenset(call.path for call in CALLS if call.declares)
_STORED = "value_error"


class PushError(ServiceError):
    """A refusal without a code of its own."""

    code = "ERROR_GENERIC"
    message = "The request is refused"


class ApplicationNotFound(PushError):
    """No application of this id has been begun with here."""

    message = "The application does not exist"


class CoreRefusal(PushError):
    """The core does not say, or says that it must not be."""

    message = "The activation cannot be registered"


class InboxApplicationNotFound(PushError):
    """The inbox has a code of its own for it."""

    code = "ERROR_APP_NOT_FOUND"
    message = "The application does not exist"


class MessageNotFound(PushError):
    """Unknown, or not the caller's: the two look alike."""

    code = "ERROR_MESSAGE_NOT_FOUND"
    message = "The message does not exist"


class DataConflict(PushError):
    """Something that must be unique is not, or does not fit."""

    code = "ERROR_DATA_INTEGRITY"
    message = "The data cannot be stored"
    http_status = 409


class InvalidMember(PushError):
    """A member that has the right form and still cannot be used.

    :ivar field: its path below the body
    :ivar reason: what is wrong with it; nothing of the value
    """

    code = "ERROR_REQUEST"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(INVALID_PARAMETER, extra={"violations": [{"fieldName": field, "hint": reason}]})


class StatementRefused(PushError):
    """The core's statement of who asks is missing, forged, of something else, expired or used."""

    code = "HTTP_403"
    message = "The statement of who asks cannot be used"
    http_status = 403


def _validation(context: ErrorContext, problems: Sequence[InputProblem]) -> ErrorAnswer:
    """As the original tells it: a violation where members are declared, a text where they are looked at one
    by one, a conflict where a column would be too short.
    """
    if any(problem.kind == _STORED and not problem.location for problem in problems):
        return ErrorAnswer(409, envelope(DataConflict.code, DataConflict.message))
    undeclared = context.path not in _DECLARING
    if undeclared and not any(map(_unreadable, problems)):
        told = ", ".join(sorted(f"{_path(problem)} {problem.message}" for problem in problems))
        if any(problem.kind == "string_too_long" for problem in problems):
            return ErrorAnswer(409, envelope(DataConflict.code, told))
        return ErrorAnswer(400, envelope(PushError.code, told))
    violations = [_violation(problem) for problem in problems if problem.location]
    message = INVALID_PARAMETER if violations else "; ".join(problem.message for problem in problems)
    told_too: dict[str, object] = {"violations": violations} if violations else {}
    return ErrorAnswer(400, envelope("ERROR_REQUEST", message, **told_too))


def _unreadable(problem: InputProblem) -> bool:
    """Whether the request itself is at fault; a null where something is required is only not enough."""
    whole_body = problem.kind in ("json_invalid", "body_unreadable")
    return whole_body or problem.source != "body" or (problem.unreadable and problem.value is not None)


def _violation(problem: InputProblem) -> dict[str, object]:
    shown: dict[str, object] = {"fieldName": _path(problem)}
    if problem.kind != "missing" and isinstance(problem.value, str | int | float):
        named = {str(part) for part in problem.location}
        shown["invalidValue"] = problem.value if _MASKED_FIELDS.isdisjoint(named) else MASKED
    return shown | {"hint": problem.message}


def _path(problem: InputProblem) -> str:
    """``requestObject.applications[0]``."""
    path = ""
    for part in problem.location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")


PUSH_FAMILY = ErrorFamily(
    validation=_validation,
    not_found=fixed(404, "HTTP_404", "Not found"),
    method_not_allowed=fixed(405, "HTTP_405", "Method not allowed"),
    not_implemented=fixed(501, "HTTP_501", "Method not implemented"),
    too_large=fixed(413, "ERROR_REQUEST", "Request is too large"),
    unsupported_media_type=fixed(415, "HTTP_415", "Unsupported media type"),
    unauthorized=fixed(401, "HTTP_401", "Unauthorized"),
    forbidden=fixed(403, "HTTP_403", "Forbidden"),
    too_many_requests=fixed(429, "HTTP_429", "Too many requests"),
    unavailable=fixed(503, PushError.code, "Service is temporarily unavailable"),
    unexpected=fixed(500, PushError.code, "Unexpected error occurred"),
)
