"""Loads around activations."""

from __future__ import annotations

import json
import os
from collections import deque
from typing import Any

from powerauth_cli.bench.load import Clients
from powerauth_cli.bench.new_phone import Activated, NewPhone
from powerauth_cli.bench.prepared import APPLICATION, Prepared
from powerauth_cli.bench.target import Target
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.generation import NEWEST
from powerauth_protocol.v3.http_headers import ENCRYPTION_HEADER, EncryptionHeader
from powerauth_sdk import AppConfig
from powerauth_sdk.activation import ACTIVATION_PATH

_ACTIVE = b'"activationStatus":"ACTIVE"'
_MOST_PER_SECOND = 800


class ActivateLoad:
    """A whole activation: init at the core, key exchange through enrollment in 3.3, commit at the core.

    What a phone computes before and after it, on its own time, is done before and after the measured time:
    its key pairs and the request for a temporary key; whether the answers are right. What it keeps under a
    key derived from its PIN is left out.
    """

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._clients_wanted = len(prepared.devices)
        self._bank = Clients(target.core, target.core_auth)
        self._phones = Clients(target.enrollment)
        config = AppConfig.from_sdk_config(target.enrollment, prepared.application.sdk_config)
        self._app = config.app()
        self._header = (
            f"{ENCRYPTION_HEADER}: {EncryptionHeader(self._app.key, None, NEWEST.value).build()}\r\n"
        )
        self._stock: deque[NewPhone] = deque()
        self._activated: list[Activated] = []

    async def open(self) -> None:
        """Open the connections of the bank and of the phones."""
        await self._bank.open(self._clients_wanted)
        await self._phones.open(self._clients_wanted)

    async def stock_up(self, seconds: float) -> None:
        """Make as many phones as a round of this length can activate at most."""
        while len(self._stock) < seconds * _MOST_PER_SECOND:
            self._stock.append(NewPhone(self._app))

    def put_back(self) -> None:
        """Let the phones look at what they were answered.

        :raises RuntimeError: one of them would refuse its activation
        """
        self._stock.clear()
        activated, self._activated = self._activated, []
        for each in activated:
            if not each.is_right(self._app):
                raise RuntimeError("a phone refuses its activation")

    async def one(self, number: int) -> bool:
        """Activate one new device."""
        created = await self._call(
            number, "activation/init", userId=f"bench-user-{number}", applicationId=APPLICATION
        )
        phone = self._stock.popleft() if self._stock else NewPhone(self._app)
        status, issued = await self._phones.post(number, "/pa/v3/keystore/create", phone.key_request)
        if status != 200:
            return False
        offer = phone.offer(self._app, json.loads(issued)["responseObject"]["jwt"], created["activationCode"])
        status, sealed = await self._phones.post(number, ACTIVATION_PATH, offer.body, self._header)
        if status != 200:
            return False
        self._activated.append(Activated(phone, offer, sealed, created["activationId"]))
        answer = await self._call(number, "activation/commit", activationId=created["activationId"])
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
