"""The push service's API, as a system inside the network calls it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from powerauth_push.app import open_database
from powerauth_push.callers import service
from powerauth_push.callers.rules import EVERYTHING, Scope
from powerauth_push.settings import PushSettings
from servicekit.calls.client import ServiceClient, Timeouts, Transport

_SECONDS = 60.0


class PushApi:
    """A caller of the push service (spec/push-api.md)."""

    def __init__(
        self, url: str, credentials: tuple[str, str] | None, transport: Transport | None = None
    ) -> None:
        """
        :param url: with the context path
        :param credentials: client token and secret; None for a service that lets everybody in
        :param transport: None: over the network
        """
        self._client = ServiceClient(url, credentials, Timeouts(_SECONDS, _SECONDS), transport)

    async def call(
        self,
        method: str,
        path: str,
        request: object = None,
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> Any:
        """Make a call and return its response object.

        :raises RuntimeError: the service refused
        """
        body = None if request is None else json.dumps({"requestObject": request}).encode()
        answer = await self._client.request(
            method, path, body, {"Content-Type": "application/json", **(headers or {})}, params=query
        )
        content = json.loads(answer.body or b"{}")
        if answer.status != 200:
            raise RuntimeError(f"{path}: HTTP {answer.status} {content.get('responseObject')}")
        return content.get("responseObject")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


async def new_caller(name: str, scopes: Collection[Scope] = EVERYTHING, **settings: Any) -> tuple[str, str]:
    """Credentials of a new caller, for a stack that a test or a measurement starts.

    :param scopes: without them all that the cloud service needs
    :param settings: of push, where they differ from the environment
    :return: client token and client secret
    :raises RuntimeError: there is one of this name
    """
    database = open_database(PushSettings(**settings))
    try:
        made = await service.create(database, name, scopes)
    finally:
        await database.dispose()
    if made is None:
        raise RuntimeError(f"{name} is a caller of push already")
    return made.client_token, made.client_secret
