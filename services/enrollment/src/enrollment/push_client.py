"""Calls of the push service, each with the core's signed statement of who asks (D1 rule 5)."""

from __future__ import annotations

from collections.abc import Mapping

from enrollment.wire import JsonObject
from powerauth_contracts.wire import json_bytes
from powerauth_protocol.common.json_text import JsonError, read_json_object
from servicekit.calls.client import RawAnswer, ServiceClient
from servicekit.errors import RemoteUnavailable
from servicekit.logs import get_logger

_log = get_logger(__name__)

STATEMENT_HEADER = "X-PowerAuth-Statement"
"""Carries the statement (JWT); the push service takes activation, user and application from it alone."""


class PushRefused(Exception):
    """The push service refused, could not be reached, or answered something unreadable."""


class PushClient:
    """The push service, for device registration and the inbox only."""

    def __init__(self, client: ServiceClient) -> None:
        """:param client: points at the push service's context path, with this service's credentials."""
        self._client = client

    async def post(self, path: str, request: JsonObject, statement: str) -> JsonObject:
        """Post `requestObject` and return the whole answer.

        :raises PushRefused: for anything but success.
        """
        body = json_bytes({"requestObject": request})
        try:
            answer = await self._client.post_json(path, body, {STATEMENT_HEADER: statement})
        except RemoteUnavailable:
            raise PushRefused from None
        return _success(path, answer)

    async def get(self, path: str, params: Mapping[str, str], statement: str) -> JsonObject:
        """Read with query parameters and return the whole answer.

        :raises PushRefused: for anything but success.
        """
        headers = {STATEMENT_HEADER: statement}
        try:
            answer = await self._client.request("GET", path, headers=headers, params=params)
        except RemoteUnavailable:
            raise PushRefused from None
        return _success(path, answer)


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
