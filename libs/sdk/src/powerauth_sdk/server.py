"""What the server tells every copy of an application: its time, and how to log in elsewhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from powerauth_protocol.v3.ecies import Scope, SharedInfo1
from powerauth_sdk.device import Device
from powerauth_sdk.errors import UnexpectedAnswer
from powerauth_sdk.transport import JSON_HEADERS, Transport, response_object


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """The server's answer (spec/enrollment-api.md §6.1).

    :ivar time_ms: its clock, ms since the epoch
    """

    time_ms: int
    name: str
    version: str


async def server_status(transport: Transport) -> ServerStatus:
    """Ask for the server's time and name; needs no activation."""
    content = response_object(await transport.send("POST", "/pa/v3/status", JSON_HEADERS, b""))
    application = content["application"]
    return ServerStatus(content["serverTime"], application["name"], application["version"])


async def identity_provider(device: Device, provider_id: str) -> dict[str, Any]:
    """What a login with an OpenID provider needs (spec/enrollment-api.md §16); needs no activation.

    :return: ``clientId``, ``scopes``, ``authorizeUri``, ``redirectUri``, ``pkceEnabled``
    :raises ServerRefused: the application has no such provider
    """
    plaintext = await device.encryption.call(
        "/api/config/oidc",
        Scope.APPLICATION,
        SharedInfo1.APPLICATION_GENERIC,
        json.dumps({"providerId": provider_id}).encode(),
    )
    content = json.loads(plaintext).get("responseObject")
    if not isinstance(content, dict):
        raise UnexpectedAnswer("the answer has no configuration")
    return content
