"""Reading a request: content type, body, the PowerAuth headers (spec/enrollment-api.md §3, §4.1)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from enrollment.core_actions import SignatureTypes
from enrollment.errors import UnsupportedMediaType
from powerauth_protocol.errors import HeaderError
from powerauth_protocol.http_headers import (
    AUTHORIZATION_HEADER,
    ENCRYPTION_HEADER,
    TOKEN_HEADER,
    SignatureHeader,
    TokenHeader,
    parse_signature_header,
    parse_token_header,
)
from powerauth_protocol.signature import SignatureType


@dataclass(frozen=True, slots=True)
class Incoming:
    """The parts of a request that endpoints look at; headers as received, the body complete."""

    authorization: str | None
    encryption: str | None
    token: str | None
    body: bytes


async def receive_json(request: Request) -> Incoming:
    """Read a request whose body is declared to be JSON, or not declared at all.

    A body that is not JSON in spite of its declaration is fine here: a signature may cover any bytes.

    :raises UnsupportedMediaType: for another declared content type.
    """
    declared = request.headers.get("content-type")
    if declared is not None:
        media_type = declared.partition(";")[0].strip().lower()
        if media_type and media_type != "application/json" and not media_type.endswith("+json"):
            raise UnsupportedMediaType
    return await receive_any(request)


async def receive_any(request: Request) -> Incoming:
    """Read a request whatever its content type is."""
    headers = request.headers
    return Incoming(
        authorization=headers.get(AUTHORIZATION_HEADER),
        encryption=headers.get(ENCRYPTION_HEADER),
        token=headers.get(TOKEN_HEADER),
        body=await request.body(),
    )


def signature_header(incoming: Incoming, allowed: SignatureTypes | None) -> SignatureHeader | None:
    """Return the signature header, or None when it cannot authenticate this endpoint.

    :param allowed: the endpoint's signature types; None leaves the judgement to the core.
    """
    try:
        header = parse_signature_header(incoming.authorization)
    except HeaderError:
        return None
    if allowed is not None and SignatureType.parse(header.signature_type) not in allowed:
        return None
    return header


def token_header(incoming: Incoming) -> TokenHeader | None:
    """Return the token header, or None when it is missing or malformed."""
    try:
        return parse_token_header(incoming.token)
    except HeaderError:
        return None
