"""The calls of the core that this service makes (spec/push-api.md §1)."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import ValidationError

from powerauth_contracts.calls import Call, Content
from powerauth_contracts.texts import request_text, wire_names
from powerauth_contracts.wire import JsonReader, ObjectResponse
from servicekit.calls.client import RemoteUnavailable, ServiceClient
from servicekit.logs import get_logger

Answer = TypeVar("Answer", bound=Content)

_log = get_logger(__name__)

_TROUBLE = 500


class CoreFailed(Exception):
    """The core refused, could not be reached, or answered something unreadable."""


class CoreAway(CoreFailed):
    """The core cannot be reached, or is in trouble."""


class CoreClient:
    """Makes calls of the contract's table."""

    def __init__(self, http: ServiceClient) -> None:
        """:param http: points at the core's context path, with this service's credentials"""
        self._http = http

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def ask(self, call: Call[Any, Answer], /, **members: object) -> Answer:
        """Make a call and read what it answers.

        :param members: of the call's request
        :raises CoreAway: nor any other now
        :raises CoreFailed: there is no such answer
        """
        names = wire_names(call)
        request = {names[name]: value for name, value in members.items()}
        kind = CoreFailed
        try:
            raw = await self._http.post_json(call.path, request_text(request))
            if raw.status == 200:
                answer: Answer = _reader(call)(raw.body).response_object
                return answer
            reason = f"HTTP {raw.status}"
            kind = CoreAway if raw.status >= _TROUBLE else CoreFailed
        except RemoteUnavailable as error:
            kind, reason = CoreAway, str(error)
        except ValidationError:
            reason = "unreadable"
        _log.warning("core call failed", path=call.path, reason=reason)
        raise kind(reason)


@cache
def _reader(call: Call[Any, Any]) -> JsonReader[Any]:
    return JsonReader(ObjectResponse[call.answer])  # type: ignore[name-defined]
