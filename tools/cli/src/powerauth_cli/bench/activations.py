"""Loads around activations."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from powerauth_cli.bench.load import Clients
from powerauth_cli.bench.prepared import APPLICATION, Prepared
from powerauth_cli.bench.target import Target
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.activation import ActivationType
from powerauth_protocol.v3.keys import generate_key_pair
from powerauth_sdk import AppConfig, DeviceProfile
from powerauth_sdk.activation import exchange
from powerauth_sdk.encryption import Encryption
from powerauth_sdk.transport import JSON_HEADERS, Answer

_ACTIVE = b'"activationStatus":"ACTIVE"'


class ActivateLoad:
    """A whole activation: init at the core, key exchange through enrollment in 3.3, commit at the core.

    What a device keeps afterwards, under a key derived from its PIN, would cost the client more than all that
    the servers do: it is left out.
    """

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._clients_wanted = len(prepared.devices)
        self._bank = Clients(target.core, target.core_auth)
        self._phones = Clients(target.enrollment)
        self._config = AppConfig.from_sdk_config(target.enrollment, prepared.application.sdk_config)

    async def open(self) -> None:
        """Open the connections of the bank and of the phones."""
        await self._bank.open(self._clients_wanted)
        await self._phones.open(self._clients_wanted)

    async def one(self, number: int) -> bool:
        """Activate one new device."""
        created = await self._call(
            number, "activation/init", userId=f"bench-user-{number}", applicationId=APPLICATION
        )
        exchanged, _ = await exchange(
            self._config,
            Encryption(self._config, _Phone(self._phones, number)),
            generate_key_pair(),
            activation_type=ActivationType.CODE,
            identity_attributes={"code": created["activationCode"]},
            custom_attributes={},
            otp=None,
            profile=DeviceProfile(name=f"bench {time.time_ns()}"),
        )
        answer = await self._call(number, "activation/commit", activationId=exchanged.activation_id)
        return answer["activated"] is True

    async def _call(self, number: int, path: str, **request: str) -> dict[str, Any]:
        body = json.dumps({"requestObject": request}).encode()
        status, answer = await self._bank.post(number, f"/rest/v3/{path}", body)
        if status != 200:
            raise RuntimeError(f"{path}: HTTP {status}")
        content: dict[str, Any] = json.loads(answer)["responseObject"]
        return content

    def close(self) -> None:
        """Close the connections."""
        self._bank.close()
        self._phones.close()


class _Phone:
    """`Transport` of one client's phone."""

    def __init__(self, clients: Clients, number: int) -> None:
        self._clients = clients
        self._number = number

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        assert method == "POST"
        added = {name: value for name, value in headers.items() if name not in JSON_HEADERS}
        lines = "".join([f"{name}: {value}\r\n" for name, value in added.items()])
        return Answer(*await self._clients.post(self._number, path, body, lines))


class StatusLoad:
    """The bank reads the status of an activation at the core."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._bodies = [
            json.dumps({"requestObject": {"activationId": device.activation_id}}).encode()
            for device in prepared.devices
        ]
        self._clients = Clients(target.core, target.core_auth)

    async def open(self) -> None:
        """Open the connections."""
        await self._clients.open(len(self._bodies))

    async def one(self, number: int) -> bool:
        """Read the status, and see that it is ACTIVE."""
        status, body = await self._clients.post(number, "/rest/v3/activation/status", self._bodies[number])
        return status == 200 and _ACTIVE in body

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()


class PhoneStatusLoad:
    """The phone reads its status through enrollment, with a fresh challenge."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._devices = prepared.devices
        self._clients = Clients(target.enrollment)

    async def open(self) -> None:
        """Open the connections."""
        await self._clients.open(len(self._devices))

    async def one(self, number: int) -> bool:
        """Read the encrypted status."""
        request = {
            "activationId": self._devices[number].activation_id,
            "challenge": b64encode(os.urandom(16)),
        }
        body = json.dumps({"requestObject": request}).encode()
        status, answer = await self._clients.post(number, "/pa/v3/activation/status", body)
        return status == 200 and b'"encryptedStatusBlob"' in answer

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()
