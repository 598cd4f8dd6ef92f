"""Reading a request: content type, body, the PowerAuth headers (spec/enrollment-api.md §3, §4.1), and whose
turn it is where strangers can try keys, codes and envelopes (D18).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive

from enrollment.container import enrollment_of
from enrollment.errors import SignatureInvalid, UnsupportedMediaType
from powerauth_contracts.dmz.headers import ReceivedSignature
from powerauth_contracts.dmz.purposes import SignatureTypes
from powerauth_protocol.common.errors import HeaderError
from powerauth_protocol.generation import read_token
from powerauth_protocol.v3.http_headers import (
    AUTHORIZATION_HEADER,
    ENCRYPTION_HEADER,
    TOKEN_HEADER,
    TokenHeader,
    parse_fields,
)
from servicekit.edge.middleware import PatientReceive
from servicekit.errors import ServiceError

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(slots=True)
class Incoming:
    """The parts of a request that endpoints look at; headers as received, the body complete."""

    authorization: str | None
    encryption: str | None
    token: str | None
    body: bytes
    receive: Receive
    network: str = ""
    """Where the request comes from, as limits call it."""

    async def disconnected(self) -> None:
        """Return when the client is gone."""
        await PatientReceive(self.receive).disconnected()


_AUTHORIZATION = AUTHORIZATION_HEADER.lower().encode()
_ENCRYPTION = ENCRYPTION_HEADER.lower().encode()
_TOKEN = TOKEN_HEADER.lower().encode()
_CONTENT_TYPE = b"content-type"
_READ_HEADERS = frozenset({_AUTHORIZATION, _ENCRYPTION, _TOKEN, _CONTENT_TYPE})
_JSON = frozenset({b"application/json", b""})


async def receive_json(request: Request) -> Incoming:
    """Read a request whose body is declared to be JSON, or not declared at all.

    A body that is not JSON in spite of its declaration is fine here: a signature may cover any bytes.

    :raises UnsupportedMediaType: for another declared content type.
    """
    headers = _headers(request)
    declared = headers.get(_CONTENT_TYPE, b"")
    if declared not in _JSON:
        media_type = declared.partition(b";")[0].strip().lower()
        if media_type not in _JSON and not media_type.endswith(b"+json"):
            raise UnsupportedMediaType
    return await _incoming(request, headers)


async def receive_any(request: Request) -> Incoming:
    """Read a request of any content type."""
    return await _incoming(request, _headers(request))


def _headers(request: Request) -> dict[bytes, bytes]:
    """One pass over the headers of a hot path; the first of several lines of a name counts."""
    found: dict[bytes, bytes] = {}
    for name, value in request.scope["headers"]:
        if name in _READ_HEADERS:
            found.setdefault(name, value)
    return found


async def _incoming(request: Request, headers: dict[bytes, bytes]) -> Incoming:
    return Incoming(
        authorization=_text(headers.get(_AUTHORIZATION)),
        encryption=_text(headers.get(_ENCRYPTION)),
        token=_text(headers.get(_TOKEN)),
        body=await _body(request.receive),
        receive=request.receive,
        network=enrollment_of(request).client_network(request),
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


async def _body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            return b"".join((*chunks, body)) if chunks else body
        chunks.append(body)


def counting_failures(endpoint: Endpoint) -> Endpoint:
    """The endpoint, whose failures count on the client's address; over the limit its requests wait in turn.

    :raises TooManyRequests: when the queue of the address is full.
    :raises ClientDisconnect: when the client did not wait for its turn.
    """

    @wraps(endpoint)
    async def counted(request: Request) -> Response:
        enrollment = enrollment_of(request)
        receive = PatientReceive(request.receive)
        network = enrollment.client_network(request)
        async with enrollment.limits.counting_failures(network, receive.disconnected):
            return await endpoint(Request(request.scope, receive))

    return counted


def signature_header(
    incoming: Incoming, allowed: SignatureTypes, unauthenticated: type[ServiceError] = SignatureInvalid
) -> ReceivedSignature:
    """Return the signature header.

    :param allowed: the endpoint's signature types.
    :param unauthenticated: raised when the header cannot authenticate this endpoint.
    """
    try:
        header = ReceivedSignature.received(parse_fields(incoming.authorization), incoming.network)
    except HeaderError:
        raise unauthenticated from None
    if header.kind not in allowed:
        raise unauthenticated
    return header


def token_header(incoming: Incoming, unauthenticated: type[ServiceError] = SignatureInvalid) -> TokenHeader:
    """Return the token header.

    :param unauthenticated: raised when it is missing or malformed.
    """
    try:
        return read_token(parse_fields(incoming.token))
    except HeaderError:
        raise unauthenticated from None
