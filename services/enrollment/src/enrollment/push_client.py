"""Calls of the push service, each with the core's signed statement of who asks (D1 rule 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from enrollment.wire import JsonObject
from powerauth_contracts.push.calls import STATEMENT_HEADER, PushCall
from powerauth_contracts.wire import json_bytes
from powerauth_protocol.common.json_text import JsonError, read_json_object
from servicekit.calls.client import RawAnswer, ServiceClient
from servicekit.errors import RemoteUnavailable
from servicekit.logs import get_logger

_log = get_logger(__name__)


class PushRefused(Exception):
    """The push service refused, could not be reached, or answered something unreadable."""


class PushClient:
    """The push service, for device registration and the inbox only."""

    def __init__(self, client: ServiceClient) -> None:
        """:param client: points at the push service's context path, with this service's credentials."""
        self._client = client

    async def ask(
        self, call: PushCall[Any, Any], request: Mapping[str, object], statement: str
    ) -> JsonObject:
        """Make a call and return the whole answer.

        :param request: by the names of the wire
        :raises PushRefused: for anything but success
        """
        path, headers = call.path, {STATEMENT_HEADER: statement}
        try:
            if call.reads == "query":
                params = {name: _query_text(value) for name, value in request.items()}
                answer = await self._client.request(call.methods[0], path, headers=headers, params=params)
            else:
                answer = await self._client.post_json(path, json_bytes({"requestObject": request}), headers)
        except RemoteUnavailable:
            raise PushRefused from None
        return _success(path, answer)


def _query_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _success(path: str, answer: RawAnswer) -> JsonObject:
    if answer.status == 200:
        try:
            content = read_json_object(answer.body)
        except JsonError:
            content = {}
        if content.get("status") == "OK":
            return content
    _log.error("push call failed", path=path, http_status=answer.status)
    raise PushRefused
