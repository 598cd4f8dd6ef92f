"""Typed calls of the core's door, its three outcomes kept apart (D1, enrollment-api.md §4.7).

An answer is returned; a refusal with a core code raises `CoreRefused`, which the endpoint words as its own
failure; anything else, from a broken connection to an answer that cannot be read, raises `RemoteUnavailable`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from operator import attrgetter
from typing import TypeVar

from pydantic import ValidationError
from starlette.exceptions import HTTPException

from enrollment.core_actions import (
    APPLICATION_PUBLIC,
    BUNDLE,
    BUNDLED,
    DOOR_PREFIX,
    TEXTS,
    VERIFY,
    Call,
    SealedCall,
    SignatureTypes,
    SignedCall,
    TokenCall,
)
from enrollment.core_answers import DecisionAnswer, SealedAnswer, VerifyAnswer
from enrollment.errors import TooManyRequests
from enrollment.wire import JsonObject, MalformedJson, parse_json_object
from powerauth_contracts.wire import WireModel, json_bytes
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.http_headers import (
    AUTHORIZATION_FIELDS,
    ENCRYPTION_FIELDS,
    TOKEN_FIELDS,
    EncryptionHeader,
    SignatureHeader,
    TokenHeader,
)
from servicekit.bundles import Bundler
from servicekit.errors import RemoteUnavailable
from servicekit.http import RawAnswer, ServiceClient
from servicekit.logs import get_logger

_log = get_logger(__name__)

Answer = TypeVar("Answer", bound=WireModel)
Header = SignatureHeader | TokenHeader | EncryptionHeader

_PROBED_OPERATION_TYPE = "login"

# The fields of the headers stand in the order of their wire names.
_signature_values = attrgetter(*(field.name for field in fields(SignatureHeader)))
_token_values = attrgetter(*(field.name for field in fields(TokenHeader)))
_encryption_values = attrgetter(*(field.name for field in fields(EncryptionHeader)))


@dataclass(frozen=True, slots=True)
class ReceivedSignature(SignatureHeader):
    """A signature header and the network that it came from, as limits call it (D15)."""

    client_network: str = ""


class CoreRefused(Exception):
    """The core refused with one of its codes; `details` are the further members of its error object."""

    def __init__(self, code: str, details: JsonObject) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


class CoreDoor:
    """The one door of the core that opens for this service. No call is ever repeated."""

    def __init__(self, client: ServiceClient) -> None:
        """:param client: points at the core's context path, with this service's credentials."""
        self._client = client
        self._bundler = Bundler(client, f"{DOOR_PREFIX}/{BUNDLE}") if client.streams else client

    async def check(self) -> None:
        """Return when the core is reachable with these credentials.

        :raises RemoteUnavailable: when it is not.
        """
        try:
            await self._ask(TEXTS.path, {"operationType": _PROBED_OPERATION_TYPE})
        except CoreRefused:
            return

    async def call(self, target: Call[Answer], request: JsonObject) -> Answer:
        """Make an unauthenticated call.

        :raises CoreRefused: with the core's code.
        :raises RemoteUnavailable: when there is no usable answer.
        """
        return _typed(target.answer, await self._ask(target.path, request))

    async def signed(self, target: SignedCall[Answer], header: SignatureHeader, body: bytes) -> Answer | None:
        """Have the core verify `header` over `body` and act, in one; None when not authenticated."""
        answer = await self._ask(target.path, {"header": signature_members(header), "body": b64encode(body)})
        return _if_authenticated(target.answer, answer)

    async def verify(
        self, header: SignatureHeader, method: str, uri_id: str, allowed: SignatureTypes, body: bytes
    ) -> VerifyAnswer | None:
        """Verify a signature that no action of the core belongs to; None when not authenticated."""
        answer = await self._verify(header, method, uri_id, allowed, body)
        return _if_authenticated(VERIFY.answer, answer)

    async def is_signed(
        self, header: SignatureHeader, method: str, uri_id: str, allowed: SignatureTypes, body: bytes
    ) -> bool:
        """Verify such a signature where it does not matter who signed."""
        answer = await self._verify(header, method, uri_id, allowed, body)
        return answer.get("authenticated") is True

    async def _verify(
        self, header: SignatureHeader, method: str, uri_id: str, allowed: SignatureTypes, body: bytes
    ) -> JsonObject:
        request: JsonObject = {
            "header": signature_members(header),
            "method": method,
            "uriId": uri_id,
            "allowedSignatureTypes": _names_of(allowed),
            "body": b64encode(body),
        }
        return await self._ask(VERIFY.path, request)

    async def decide(
        self,
        target: SignedCall[DecisionAnswer],
        header: SignatureHeader,
        body: bytes,
        *,
        client_address: str | None,
        user_agent: str | None,
    ) -> DecisionAnswer:
        """Approve or reject the operation that the signed body names."""
        request: JsonObject = {"header": signature_members(header), "body": b64encode(body)}
        if client_address is not None:
            request["clientAddress"] = client_address
        if user_agent is not None:
            request["userAgent"] = user_agent
        return _typed(target.answer, await self._ask(target.path, request))

    async def token(
        self, target: TokenCall[Answer], header: TokenHeader, request: JsonObject | None = None
    ) -> Answer | None:
        """Have the core validate `header` and act, in one; None when not authenticated."""
        members = {"header": token_members(header), **(request or {})}
        return _if_authenticated(target.answer, await self._ask(target.path, members))

    async def sealed(
        self,
        target: SealedCall,
        body: bytes,
        headers: Iterable[Header],
    ) -> SealedAnswer | None:
        """Hand on a body that only the core opens, with its headers; None when not authenticated."""
        request: JsonObject = {"body": b64encode(body)}
        for header in headers:
            match header:
                case SignatureHeader():
                    request["authorization"] = signature_members(header)
                case TokenHeader():
                    request["token"] = token_members(header)
                case EncryptionHeader():
                    request["encryption"] = encryption_members(header)
        return _if_authenticated(target.answer, await self._ask(target.path, request))

    async def public_application(self, application_key: str, provider_id: str) -> JsonObject:
        """Return the public fields of an identity provider (spec/enrollment-api.md §16)."""
        return await self._ask(
            APPLICATION_PUBLIC, {"applicationKey": application_key, "providerId": provider_id}
        )

    async def _ask(self, path: str, request: JsonObject) -> JsonObject:
        body = json_bytes({"requestObject": request})
        client = self._bundler if path in BUNDLED else self._client
        answer = await client.post_json(f"{DOOR_PREFIX}/{path}", body)
        if answer.status == 200:
            return _response_object(path, answer.body)
        raise _failure(path, answer)


@cache
def _names_of(types: SignatureTypes) -> tuple[str, ...]:
    return tuple(sorted(kind.value for kind in types))


def signature_members(header: SignatureHeader) -> JsonObject:
    """Return the fields of a signature header by their wire names, as received, and where it came from."""
    members = dict(zip(AUTHORIZATION_FIELDS, _signature_values(header), strict=True))
    if isinstance(header, ReceivedSignature):
        members["client_network"] = header.client_network
    return members


def token_members(header: TokenHeader) -> JsonObject:
    """Return the fields of a token header likewise."""
    return dict(zip(TOKEN_FIELDS, _token_values(header), strict=True))


def encryption_members(header: EncryptionHeader) -> JsonObject:
    """Return the fields of an encryption header likewise."""
    return dict(zip(ENCRYPTION_FIELDS, _encryption_values(header), strict=True))


def _response_object(path: str, body: bytes) -> JsonObject:
    try:
        content = parse_json_object(body).get("responseObject")
    except MalformedJson:
        content = None
    if not isinstance(content, dict):
        _log.error("core answer unreadable", path=path)
        raise RemoteUnavailable("the core's answer cannot be read")
    return content


def _failure(path: str, answer: RawAnswer) -> Exception:
    """Tell a refusal with a core code from everything that only means that the core is not usable now."""
    if answer.status == 400 and (refusal := _refusal(answer.body)) is not None:
        _log.info("core refused", path=path, error_code=refusal.code)
        return refusal
    if answer.status == 413:
        return HTTPException(413)
    if answer.status == 429:
        return TooManyRequests(retry_after=_retry_after(answer.headers.get("Retry-After")))
    _log.error("core call failed", path=path, http_status=answer.status)
    return RemoteUnavailable(f"the core answered {answer.status}")


def _refusal(body: bytes) -> CoreRefused | None:
    try:
        details = parse_json_object(body).get("responseObject")
    except MalformedJson:
        return None
    if not isinstance(details, dict) or not isinstance(code := details.get("code"), str):
        return None
    return CoreRefused(code, {name: value for name, value in details.items() if name != "code"})


def _typed(answer: type[Answer], members: JsonObject) -> Answer:
    try:
        return answer.model_validate(members)
    except ValidationError:
        _log.error("core answer has wrong members", answer=answer.__name__)
        raise RemoteUnavailable("the core's answer cannot be read") from None


def _if_authenticated(answer: type[Answer], members: JsonObject) -> Answer | None:
    return _typed(answer, members) if members.get("authenticated") is True else None


def _retry_after(value: str | None) -> int:
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 6 else 1
