"""The core's door inside the network, by the table of its calls (spec/cloud-api.md §1.7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from cloud_private_api.errors import UpstreamFailed
from powerauth_contracts import moments
from powerauth_contracts.calls import Call, Content
from powerauth_contracts.declared import DeclaredReader
from powerauth_contracts.rest import system
from powerauth_contracts.rest.table import BUNDLE
from powerauth_contracts.texts import CoreRefused, refusal, request_text, wire_names
from powerauth_contracts.wire import ObjectResponse
from servicekit.calls.bundler import together
from servicekit.calls.client import RawAnswer, RemoteUnavailable, ServiceClient
from servicekit.logs import get_logger

Answer = TypeVar("Answer", bound=Content)

_COME_AGAIN = frozenset({502, 503, 504})
_PREFIX = "/rest/v3/"

_log = get_logger(__name__)


NULL: Final = object()
"""A member that is sent as null, where that says something else than its absence."""


class CoreClient:
    """Makes the calls of the contract's table.

    Requests are written member by member, not judged here: what the core refuses it words itself.
    """

    def __init__(self, http: ServiceClient) -> None:
        self._http = http
        self._together = together(http, BUNDLE)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def check(self) -> None:
        """Return when the core serves.

        :raises RemoteUnavailable: when it does not
        """
        await self.tell(system.STATUS)

    async def ask(self, call: Call[Any, Answer], /, **members: object) -> Answer:
        """Make a call and read what it answers.

        :param members: of the call's request, moments as naive UTC; those that are None are left out (`NULL`)
        :raises CoreRefused: the core answered 400 or 429 with a code
        :raises UpstreamFailed: any other answer that is not the expected one
        :raises RemoteUnavailable: the core could not be reached, did not answer in time or asks to come again
        """
        raw = await self._send(call, members)
        try:
            answer: Answer = _reader(call)(raw.body).response_object
        except ValidationError as error:
            _log.error("core answer unreadable", path=_name(call), problems=error.error_count())
            raise UpstreamFailed from None
        return answer

    async def tell(self, call: Call[Any, Any], /, **members: object) -> None:
        """The same for a call whose answer is not read."""
        await self._send(call, members)

    async def _send(self, call: Call[Any, Any], members: Mapping[str, object]) -> RawAnswer:
        names = wire_names(call)
        request = {names[name]: _written(value) for name, value in members.items() if value is not None}
        client = self._together if call.fast else self._http
        raw = await client.post_json(call.path, request_text(request))
        if raw.status == 200:
            return raw
        path = _name(call)
        if raw.status in (400, 429):
            raise refusal(path, raw.body) or CoreRefused("unreadable", path, {})
        if raw.status in _COME_AGAIN:
            raise RemoteUnavailable(f"core: HTTP {raw.status}")
        _log.error("core answered unexpectedly", path=path, status_code=raw.status)
        raise UpstreamFailed


def _name(call: Call[Any, Any]) -> str:
    """What logs call a call: its path below the door."""
    return call.path.removeprefix(_PREFIX)


def _written(value: object) -> object:
    """A moment as epoch milliseconds, `NULL` as null, anything else as it is."""
    if value is NULL:
        return None
    return moments.to_ms(value) if isinstance(value, datetime) else value


@cache
def _reader(call: Call[Any, Any]) -> DeclaredReader[Any]:
    return DeclaredReader(ObjectResponse[call.answer])  # type: ignore[name-defined]
