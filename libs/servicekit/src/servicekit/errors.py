"""Errors from where they happen to the caller's envelope.

A domain raises a small subclass of :class:`ServiceError`. Each API family (core, enrollment, cloud) brings
one :class:`ErrorFamily`, a set of functions that shape bodies; nothing else decides how an error looks on the
wire.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from servicekit import logs
from servicekit.targets import path_in_service

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request

_log = logs.get_logger(__name__)


class ServiceError(Exception):
    """An expected refusal, answered in the envelope of the API family.

    Subclasses set the class attributes; an instance may override them. ``keep_changes`` makes
    ``Database.transaction`` commit what was written before the error: counted failures, lazy expiry.
    """

    code: str = "ERROR_GENERIC"
    http_status: int = 400
    message: str = "Unknown error occurred while processing request."
    keep_changes: bool = False
    retry_after: int | None = None

    def __init__(
        self,
        message: str | None = None,
        *,
        extra: Mapping[str, object] | None = None,
        keep_changes: bool | None = None,
        retry_after: int | None = None,
    ) -> None:
        """
        :param message: replaces the class's message
        :param extra: members merged into ``responseObject``
        :param retry_after: seconds, sent as ``Retry-After``
        """
        if message is not None:
            self.message = message
        if keep_changes is not None:
            self.keep_changes = keep_changes
        if retry_after is not None:
            self.retry_after = retry_after
        self.extra: dict[str, object] = dict(extra or {})
        super().__init__(self.message)


class Unavailable(Exception):
    """Something this service needs is not there right now; the caller may come again. Answered with 503."""

    retry_after: int = 1
    """Seconds, sent as ``Retry-After``."""

    repeatable: bool = False
    """Whether all was undone for certain and a second try at once may go well."""

    of_one_record: bool = False
    """Whether it is one record that cannot be worked on; what is done together with it may go well alone."""


class RemoteUnavailable(Unavailable):
    """Another service could not be reached or did not answer in time."""


class DataRefused(Exception):
    """The database refused a value (too long, out of range). Answered like a failed validation."""


@dataclass(frozen=True, slots=True)
class InputProblem:
    """One thing wrong with a request.

    ``location``: where, as a path of wire names and indexes: ``("requestObject", "activationId")``.
    ``source``: ``body``, ``query``, ``path``, ``header`` or ``cookie``.
    ``kind``: the validator's error type (``missing``, ``json_invalid``, ``string_type``, ``enum`` …).
    ``value``: what was received, when known; may be secret, never log it.
    """

    source: str
    location: tuple[str | int, ...]
    kind: str
    message: str
    value: Any = None

    @property
    def field(self) -> str:
        """The location as text, ``requestObject.activationId``; empty for the body as a whole."""
        return ".".join(str(part) for part in self.location)

    @property
    def unreadable(self) -> bool:
        """The JSON cannot be parsed, or a member has the wrong JSON type or an unknown constant."""
        return self.kind in _UNREADABLE_KINDS or (self.kind.endswith("_type") and self.value is not None)


_UNREADABLE_KINDS = frozenset(
    {
        "body_unreadable",
        "datetime_type",
        "enum",
        "finite_number",
        "int_from_float",
        "json_invalid",
        "literal_error",
        "nul_character",
        "string_unicode",
    }
)


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """What a family may look at to shape an answer."""

    method: str
    path: str
    """Path inside the service, without its context path."""


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An error as it goes out: status, JSON content, further headers."""

    status: int
    content: Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)


Shape = Callable[[ErrorContext], ErrorAnswer]


UNREADABLE = InputProblem("body", (), "body_unreadable", "The request cannot be read.")
"""What is wrong with a request that HTTP itself does not allow."""


def envelope(code: str, message: str, /, **extra: object) -> dict[str, object]:
    """``{"status":"ERROR","responseObject":{"code":…,"message":…,…}}``, shared by all families."""
    return {"status": "ERROR", "responseObject": {"code": code, "message": message, **extra}}


def fixed(status: int, code: str, message: str, /, **extra: object) -> Callable[[ErrorContext], ErrorAnswer]:
    """A shaping function that always gives the same answer."""
    answer = ErrorAnswer(status, envelope(code, message, **extra))
    return lambda _context: answer


def with_status(shape: Shape, status: int) -> Shape:
    """The same words with another status."""

    def shaped(context: ErrorContext) -> ErrorAnswer:
        answer = shape(context)
        return ErrorAnswer(status, answer.content, answer.headers)

    return shaped


def plain_service_error(_context: ErrorContext, error: ServiceError) -> ErrorAnswer:
    """The error's own status, code, message and extra members in the shared envelope."""
    return ErrorAnswer(error.http_status, envelope(error.code, error.message, **error.extra))


@dataclass(frozen=True, slots=True)
class ErrorFamily:
    """How one API family words its errors.

    ``Allow``, ``WWW-Authenticate`` and ``Retry-After`` are added by the handlers where they apply.
    """

    validation: Callable[[ErrorContext, Sequence[InputProblem]], ErrorAnswer]
    not_found: Shape
    method_not_allowed: Shape
    too_large: Shape
    unsupported_media_type: Shape
    unauthorized: Shape
    unavailable: Shape
    unexpected: Shape
    service_error: Callable[[ErrorContext, ServiceError], ErrorAnswer] = plain_service_error
    forbidden: Shape | None = None
    """Without it, a 403 is worded like a 401 with status 403."""
    too_many_requests: Shape | None = None
    """Without it, a 429 is worded like a 503 with status 429."""
    remote_unavailable: Shape | None = None
    """Without it, an unreachable other service is worded like ``unavailable``."""
    not_implemented: Shape | None = None
    """Without it, a 501 is worded like a 405 with status 501."""

    @property
    def unimplemented(self) -> Shape:
        """How the family words a 501."""
        return self.not_implemented or with_status(self.method_not_allowed, 501)

    def for_status(self, status: int) -> Shape | None:
        """How the family words a status, if it words it by itself."""
        return {
            401: self.unauthorized,
            403: self.forbidden or with_status(self.unauthorized, 403),
            404: self.not_found,
            405: self.method_not_allowed,
            413: self.too_large,
            415: self.unsupported_media_type,
            429: self.too_many_requests or with_status(self.unavailable, 429),
            501: self.unimplemented,
            503: self.unavailable,
        }.get(status)


def error_response(answer: ErrorAnswer, extra_headers: Mapping[str, str] | None = None) -> Response:
    """The HTTP answer. ASCII JSON, so that whatever text was received can be repeated."""
    body = json.dumps(answer.content, separators=(",", ":"), default=str).encode("ascii")
    headers = {**answer.headers, **(extra_headers or {})}
    return Response(body, answer.status, headers, "application/json")


def context_of(request: Request) -> ErrorContext:
    """Method and path of a request, the path without the service's context path."""
    return ErrorContext(request.scope["method"], path_in_service(request.scope) or "/")


def input_problems(errors: Sequence[Mapping[str, Any]], default_source: str = "body") -> list[InputProblem]:
    """Pydantic's error list in our terms; FastAPI puts the source first in ``loc``, plain pydantic not."""
    problems = []
    for error in errors:
        location = tuple(error["loc"])
        source = default_source
        if location and location[0] in ("body", "query", "path", "header", "cookie"):
            source, location = str(location[0]), location[1:]
        kind = error["type"]
        if kind == "json_invalid":
            location = ()
        value = _presentable(error.get("input"))
        problems.append(InputProblem(source, location, kind, _sentence(kind, value, error), value))
    return problems


def _sentence(kind: str, value: object, error: Mapping[str, Any]) -> str:
    """What is wrong with a member, in the same words for every call of every service."""
    if value is None or kind == "missing":
        return "must not be null"
    if kind in _TOO_SHORT and value in ("", []):
        return "must not be empty"
    if kind in _TOO_SHORT and isinstance(value, str) and not value.strip():
        return "must not be blank"
    if kind in _SENTENCES:
        return _SENTENCES[kind].format_map(error.get("ctx", {}))
    message = str(error.get("ctx", {}).get("error") or error["msg"])
    return message.partition(", ")[2] or message if kind in ("value_error", "assertion_error") else message


_TOO_SHORT = frozenset({"string_too_short", "too_short", "string_pattern_mismatch"})
_SENTENCES: Mapping[str, str] = {
    **dict.fromkeys(("int_from_float", "int_parsing", "int_parsing_size", "int_type"), "must be an integer"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "must be true or false"),
    **dict.fromkeys(("dict_type", "model_attributes_type", "model_type"), "must be an object"),
    **dict.fromkeys(("enum", "literal_error"), "must be {expected}"),
    "string_type": "must be a string",
    "list_type": "must be an array",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be greater than or equal to {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be less than or equal to {le}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "string_pattern_mismatch": "has a wrong form",
}


def _presentable(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


class ErrorHandlers:
    """The exception handlers of one application, bound to its family."""

    def __init__(self, family: ErrorFamily) -> None:
        self.family = family

    async def answer(self, request: Request, error: Exception) -> Response:
        """Word one of :data:`EXPECTED_ERRORS`, for code that the framework does not call."""
        if isinstance(error, ServiceError):
            return await self.service_error(request, error)
        if isinstance(error, Unavailable):
            return await self.unavailable(request, error)
        if isinstance(error, DataRefused):
            return await self.data_refused(request, error)
        if isinstance(error, RequestValidationError):
            return await self.invalid_request(request, error)
        return await self.http_error(request, error)

    async def service_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, ServiceError)
        answer = self.family.service_error(context_of(request), error)
        return error_response(answer, _retry_header(error.retry_after))

    async def invalid_request(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        context = context_of(request)
        if isinstance(error.body, bytes) and request.headers.get("content-type"):
            # FastAPI leaves a body raw when its content type is not JSON.
            return error_response(self.family.unsupported_media_type(context))
        return error_response(self.family.validation(context, input_problems(error.errors())))

    async def data_refused(self, request: Request, error: Exception) -> Response:
        _log.warning("value refused by the database", path=request.scope["path"])
        problem = InputProblem("body", (), "value_error", "contains a value that cannot be stored")
        return error_response(self.family.validation(context_of(request), [problem]))

    async def unavailable(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, Unavailable)
        shape = self.family.unavailable
        if isinstance(error, RemoteUnavailable) and self.family.remote_unavailable is not None:
            shape = self.family.remote_unavailable
        _log.warning("dependency unavailable", reason=str(error), path=request.scope["path"])
        answer = shape(context_of(request))
        retry = error.retry_after if answer.status == 503 else None
        return error_response(answer, _retry_header(retry))

    async def http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return error_response(self._http_answer(context_of(request), error.status_code), error.headers)

    def _http_answer(self, context: ErrorContext, status: int) -> ErrorAnswer:
        family = self.family
        shape = family.for_status(status)
        if shape is not None:
            return shape(context)
        if status >= 500:
            return family.unexpected(context)
        return family.validation(context, [UNREADABLE])


EXPECTED_ERRORS = (ServiceError, Unavailable, DataRefused, RequestValidationError, HTTPException)
"""What endpoints raise to be worded by their family; everything else is unexpected."""


def _retry_header(seconds: int | None) -> dict[str, str] | None:
    return None if seconds is None else {"Retry-After": str(seconds)}


def install_error_handlers(app: FastAPI, family: ErrorFamily) -> None:
    """Answer every error of ``app`` in the family's words (unexpected ones: the edge middleware)."""
    handlers = ErrorHandlers(family)
    app.add_exception_handler(ServiceError, handlers.service_error)
    app.add_exception_handler(RequestValidationError, handlers.invalid_request)
    app.add_exception_handler(DataRefused, handlers.data_refused)
    app.add_exception_handler(Unavailable, handlers.unavailable)
    app.add_exception_handler(HTTPException, handlers.http_error)
