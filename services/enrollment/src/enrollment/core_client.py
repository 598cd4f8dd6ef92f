"""Typed calls of the core's door, its three outcomes kept apart (D1, enrollment-api.md §4.7).

An answer is returned; a refusal with a core code raises `CoreRefused`, which the endpoint words as its own
failure; anything else, from a broken connection to an answer that cannot be read, raises `RemoteUnavailable`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.exceptions import HTTPException

from enrollment.errors import TooManyRequests
from enrollment.wire import EnvelopeMembers, JsonObject
from powerauth_contracts.calls import Call
from powerauth_contracts.dmz.headers import Header, members_of
from powerauth_contracts.dmz.models import (
    OperationActionAnswer,
    SealedAnswer,
    SealedRequest,
    SignedAnswer,
    SignedOperationRequest,
    SignedRequest,
    TokenRequest,
)
from powerauth_contracts.dmz.purposes import SignatureTypes
from powerauth_contracts.dmz.table import BUNDLE, DOOR, DOOR_PATHS, TEXTS, VERIFY, SignedCall, TokenCall
from powerauth_contracts.texts import CoreRefused, refusal, request_text, wire_names
from powerauth_contracts.wire import WireModel, response_reader
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.http_headers import EncryptionHeader, SignatureHeader, TokenHeader
from servicekit.caching import Cache
from servicekit.calls.bundler import together
from servicekit.calls.client import RawAnswer, ServiceClient
from servicekit.errors import RemoteUnavailable
from servicekit.logs import get_logger

_log = get_logger(__name__)

Answer = TypeVar("Answer", bound=WireModel)
Judged = TypeVar("Judged", bound=SignedAnswer | SealedAnswer)
Member = TypeVar("Member")

_PROBED_OPERATION_TYPE = "login"
_UNKNOWN_SECONDS = 60.0
"""How long a call is not made that the core did not know."""


class CallUnknown(RemoteUnavailable):
    """The core is of a release that has no such call."""

    def __init__(self) -> None:
        super().__init__("the core does not know this call")


class CoreDoor:
    """The one door of the core that opens for this service. No call is ever repeated."""

    def __init__(self, client: ServiceClient) -> None:
        """:param client: points at the core's context path, with this service's credentials."""
        self._client = client
        self._together = together(client, BUNDLE)
        self._unknown: Cache[str, bool] = Cache(len(DOOR_PATHS), _UNKNOWN_SECONDS)

    async def check(self) -> None:
        """Return when the core is reachable with these credentials.

        :raises RemoteUnavailable: when it is not.
        """
        try:
            await self._ask(TEXTS, {"operationType": _PROBED_OPERATION_TYPE})
        except CoreRefused:
            return

    async def call(self, target: Call[Any, Answer], /, **members: object) -> Answer:
        """Make an unauthenticated call.

        :param members: of its request, by their names or the wire's; those that are None are left out
        :raises CoreRefused: with the core's code.
        :raises CallUnknown: when the core has no such call.
        :raises RemoteUnavailable: when there is no usable answer.
        """
        return await self._ask(target, _named(target, members))

    async def signed(
        self, target: SignedCall[SignedRequest, Judged], header: SignatureHeader, body: bytes
    ) -> Judged | None:
        """Have the core verify `header` over `body` and act, in one; None when not authenticated."""
        return _if_authenticated(
            await self._ask(target, {"header": members_of(header), "body": b64encode(body)})
        )

    async def is_signed(
        self, header: SignatureHeader, method: str, uri_id: str, allowed: SignatureTypes, body: bytes
    ) -> bool:
        """Verify a signature that no action of the core belongs to; who signed does not matter."""
        request: JsonObject = {
            "header": members_of(header),
            "method": method,
            "uriId": uri_id,
            "allowedSignatureTypes": _names_of(allowed),
            "body": b64encode(body),
        }
        return (await self._ask(VERIFY, request)).authenticated

    async def decide(
        self,
        target: SignedCall[SignedOperationRequest, OperationActionAnswer],
        header: SignatureHeader,
        body: bytes,
        *,
        client_address: str | None,
        user_agent: str | None,
    ) -> OperationActionAnswer:
        """Approve or reject the operation that the signed body names."""
        request: JsonObject = {"header": members_of(header), "body": b64encode(body)}
        if client_address is not None:
            request["clientAddress"] = client_address
        if user_agent is not None:
            request["userAgent"] = user_agent
        return await self._ask(target, request)

    async def token(
        self, target: TokenCall[TokenRequest, Judged], header: TokenHeader, /, **members: object
    ) -> Judged | None:
        """Have the core validate `header` and act, in one; None when not authenticated."""
        request = {"header": members_of(header), **_named(target, members)}
        return _if_authenticated(await self._ask(target, request))

    async def sealed(
        self,
        target: Call[SealedRequest, SealedAnswer],
        body: bytes,
        headers: Iterable[Header],
    ) -> SealedAnswer | None:
        """Hand on a body that only the core opens, with its headers; None when not authenticated."""
        request: JsonObject = {"body": b64encode(body)}
        for header in headers:
            match header:
                case SignatureHeader():
                    request["authorization"] = members_of(header)
                case TokenHeader():
                    request["token"] = members_of(header)
                case EncryptionHeader():
                    request["encryption"] = members_of(header)
        return _if_authenticated(await self._ask(target, request))

    async def _ask(self, target: Call[Any, Answer], request: JsonObject) -> Answer:
        if self._unknown.get(target.path):
            raise CallUnknown
        client = self._together if target.fast else self._client
        answer = await client.post_json(target.path, request_text(request))
        if answer.status == 404:
            _log.warning("the core does not know this call", path=_name(target.path))
            self._unknown.put(target.path, True)
            raise CallUnknown
        if answer.status != 200:
            raise _failure(target.path, answer)
        try:
            content: Answer = response_reader(target.answer)(answer.body)
        except ValidationError as error:
            _log.error("core answer unreadable", path=_name(target.path), problems=error.error_count())
            raise RemoteUnavailable("the core's answer cannot be read") from None
        return content


def _named(target: Call[Any, Any], members: Mapping[str, object]) -> JsonObject:
    names = wire_names(target)
    return {names[name]: value for name, value in members.items() if value is not None}


@cache
def _names_of(types: SignatureTypes) -> tuple[str, ...]:
    return tuple(sorted(kind.value for kind in types))


def told(member: Member | None) -> Member:
    """A member that an authenticated answer always has.

    :raises RemoteUnavailable: when this one has not.
    """
    if member is None:
        _log.error("core answer has wrong members")
        raise RemoteUnavailable("the core's answer cannot be read")
    return member


def told_members(envelope: object) -> EnvelopeMembers:
    """Return the members of a sealed answer that the core has written.

    :raises RemoteUnavailable: when there are none.
    """
    if not isinstance(envelope, dict):
        raise RemoteUnavailable("the core's answer has no envelope")
    return {name: value for name, value in envelope.items() if value is not None}


def _name(path: str) -> str:
    """What logs call a call: its path below the door."""
    return path.removeprefix(f"{DOOR}/")


def _failure(path: str, answer: RawAnswer) -> Exception:
    """Tell a refusal with a core code from everything that only means that the core is not usable now."""
    if answer.status == 400 and (refused := refusal(_name(path), answer.body)) is not None:
        _log.info("core refused", path=refused.path, error_code=refused.code)
        return refused
    if answer.status == 413:
        return HTTPException(413)
    if answer.status == 429:
        return TooManyRequests(retry_after=_retry_after(answer.headers.get("Retry-After")))
    _log.error("core call failed", path=_name(path), http_status=answer.status)
    return RemoteUnavailable(f"the core answered {answer.status}")


def _if_authenticated(answer: Judged) -> Judged | None:
    return answer if answer.authenticated else None


def _retry_after(value: str | None) -> int:
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 6 else 1
