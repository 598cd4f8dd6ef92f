"""Loads around activations."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from powerauth_cli.bench.load import Clients
from powerauth_cli.bench.prepared import APPLICATION, Prepared
from powerauth_cli.bench.target import Target
from powerauth_protocol.common.encoding import b64encode
from powerauth_sdk import AppConfig, Device, DeviceProfile, HttpTransport

_ACTIVE = b'"activationStatus":"ACTIVE"'


class ActivateLoad:
    """A whole activation: init at the core, key exchange through enrollment in 3.3, commit at the core."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._clients_wanted = len(prepared.devices)
        self._bank = Clients(target.core, target.core_auth)
        self._transport = HttpTransport(target.enrollment)
        self._config = AppConfig.from_sdk_config(target.enrollment, prepared.application.sdk_config)

    async def open(self) -> None:
        """Open the bank's connections."""
        await self._bank.open(self._clients_wanted)

    async def one(self, number: int) -> bool:
        """Activate one new device."""
        created = await self._call(
            number, "activation/init", userId=f"bench-user-{number}", applicationId=APPLICATION
        )
        device = Device(self._config, self._transport)
        result = await device.activate_with_code(
            created["activationCode"], "1234", profile=DeviceProfile(name=f"bench {time.time_ns()}")
        )
        answer = await self._call(number, "activation/commit", activationId=result.activation_id)
        return answer["activated"] is True

    async def _call(self, number: int, path: str, **request: str) -> dict[str, Any]:
        body = json.dumps({"requestObject": request}).encode()
        status, answer = await self._bank.post(number, f"/rest/v3/{path}", body)
        if status != 200:
            raise RuntimeError(f"{path}: HTTP {status}")
        content: dict[str, Any] = json.loads(answer)["responseObject"]
        return content

    def close(self) -> None:
        """Close the bank's connections."""
        self._bank.close()


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
