"""What the core says to a client of signed tokens, passed on as it is (spec/device-trust.md §2.5)."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from enrollment.container import Enrollment
from enrollment.errors import InvalidRequest, UnsupportedMediaType
from enrollment.published import Document
from powerauth_contracts.calls import Call
from powerauth_contracts.dmz.signed_tokens import (
    MAX_AUTHORIZATION,
    MAX_FORM,
    FormRequest,
    OAuthAnswer,
    UserInfoRequest,
)
from powerauth_contracts.texts import CoreRefused
from powerauth_contracts.wire import json_bytes
from servicekit.edge.middleware import PatientReceive
from servicekit.errors import ServiceError

FORM = "application/x-www-form-urlencoded"
JWKS_MAX_AGE_SECONDS = 3_600
_JSON = "application/json"
_UNSTORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class _Refused(ServiceError):
    """An answer that counts on its sender's address."""

    def __init__(self, answer: OAuthAnswer) -> None:
        super().__init__()
        self.answer = answer


async def form_of(request: Request) -> str:
    """The form's text of a request.

    :raises UnsupportedMediaType: it is declared to be something else
    :raises InvalidRequest: it is no text, or longer than any form
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != FORM:
        raise UnsupportedMediaType
    try:
        text = (await request.body()).decode()
    except UnicodeDecodeError:
        raise InvalidRequest from None
    if len(text) > MAX_FORM:
        raise InvalidRequest
    return text


async def relayed(
    enrollment: Enrollment,
    request: Request,
    target: Call[FormRequest, OAuthAnswer] | Call[UserInfoRequest, OAuthAnswer],
    **members: str,
) -> Response:
    """Hand a request on with its header, and answer what the core says; refusals count on the address.

    :raises InvalidRequest: the header is longer than any token, or the core cannot read the request
    :raises TooManyRequests: the queue of the address is full
    """
    authorization = request.headers.get("authorization")
    if authorization is not None and len(authorization) > MAX_AUTHORIZATION:
        raise InvalidRequest
    network = enrollment.client_network(request)
    disconnected = PatientReceive(request.receive).disconnected
    try:
        async with enrollment.limits.counting_failures(network, disconnected):
            answer = await _asked(enrollment, target, {**members, "authorization": authorization})
            if answer.status != 200:
                raise _Refused(answer)
    except _Refused as refused:
        answer = refused.answer
    return _response(answer)


async def _asked(
    enrollment: Enrollment,
    target: Call[FormRequest, OAuthAnswer] | Call[UserInfoRequest, OAuthAnswer],
    members: Mapping[str, object],
) -> OAuthAnswer:
    try:
        return await enrollment.door.call(target, **members)
    except CoreRefused:
        raise InvalidRequest from None


def _response(answer: OAuthAnswer) -> Response:
    headers = dict(_UNSTORED)
    if answer.authenticate is not None:
        headers["WWW-Authenticate"] = answer.authenticate
    if answer.content is None:
        return Response(status_code=answer.status, headers=headers)
    return Response(json_bytes(answer.content), answer.status, headers, _JSON)


def published(request: Request, document: Document) -> Response:
    """A document, or that the client has it already."""
    headers = {"Cache-Control": f"public, max-age={JWKS_MAX_AGE_SECONDS}", "ETag": f'"{document.etag}"'}
    known = [each.strip() for each in request.headers.get("if-none-match", "").split(",")]
    if headers["ETag"] in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(document.content, 200, headers, _JSON)
