"""The loads: what one client does again and again."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque

from powerauth_cli.bench.load import Connection, Poster
from powerauth_cli.bench.provision import (
    Application,
    BenchPhone,
    CoreApi,
    activate,
    create_application,
    verify_body,
)
from powerauth_cli.bench.target import Target
from powerauth_cli.bench.tokens import validate_body
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.http_headers import AUTHORIZATION_HEADER
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import AppConfig, Device, DeviceProfile, HttpTransport
from powerauth_sdk.phone import Phone

APPLICATION = "bench"
LOGIN = "/login"
BODY = b'{"channel":"internet-bank","amount":"100.00"}'
_AUTHORIZE = "/operation/authorize"
_TEMPLATE = {
    "templateName": "bench-payment",
    "operationType": "bench_payment",
    "signatureType": ["POSSESSION_KNOWLEDGE"],
    "dataTemplate": "A1*A${amount}${currency}",
    "expiration": 3600,
    "maxFailureCount": 5,
}
_PARALLEL_SET_UP = 8
_MOST_PER_SECOND = 8_000


class Prepared:
    """An application with one activated device a client."""

    def __init__(self, core: CoreApi, application: Application, devices: list[BenchPhone]) -> None:
        self.core = core
        self.application = application
        self.devices = devices

    @classmethod
    async def make(cls, target: Target, clients: int) -> Prepared:
        """Set everything up at the core."""
        core = CoreApi(target.core, target.core_auth)
        application = await create_application(core, APPLICATION)
        gate = asyncio.Semaphore(_PARALLEL_SET_UP)

        async def one(number: int) -> BenchPhone:
            async with gate:
                return await activate(core, application, f"bench-user-{number}")

        devices = await asyncio.gather(*[one(number) for number in range(clients)])
        return cls(core, application, list(devices))


class _Clients:
    """Connections of all clients to one URL."""

    def __init__(self, url: str, auth: tuple[str, str] | None) -> None:
        self.poster = Poster(url, auth)
        self.connections: list[Connection] = []

    async def open(self, clients: int) -> None:
        self.connections = [await self.poster.connect() for _ in range(clients)]

    async def post(self, number: int, body: bytes, headers: str = "") -> tuple[int, bytes]:
        return await self.connections[number].exchange(self.poster.request(body, headers))

    def close(self) -> None:
        for connection in self.connections:
            connection.close()


class VerifyLoad:
    """``signature/verify`` at the core: each client signs with a device of its own.

    Phones sign on their own time, not on the server's: the codes are made before the measured time.
    """

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._devices = prepared.devices
        self._signed: list[deque[bytes]] = [deque() for _ in prepared.devices]
        self._clients = _Clients(f"{target.core}/rest/v3/signature/verify", target.core_auth)

    async def open(self) -> None:
        """Open the connections."""
        await self._clients.open(len(self._devices))

    def stock_up(self, seconds: float) -> None:
        """Sign what a round of this length can use up at most."""
        each = int(seconds * _MOST_PER_SECOND / len(self._devices))
        for device, signed in zip(self._devices, self._signed, strict=True):
            while len(signed) < each:
                signed.append(verify_body(device, "POST", LOGIN, BODY))

    async def one(self, number: int) -> bool:
        """Have a code verified, and see that it was valid."""
        signed = self._signed[number]
        code = signed.popleft() if signed else verify_body(self._devices[number], "POST", LOGIN, BODY)
        status, body = await self._clients.post(number, code)
        return status == 200 and b'"signatureValid":true' in body

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()


class EnrollmentVerifyLoad:
    """The same verification through the enrollment service."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._devices = prepared.devices
        self._clients = _Clients(f"{target.enrollment}/pa/v3/signature/validate", None)

    async def open(self) -> None:
        """Open the connections."""
        await self._clients.open(len(self._devices))

    async def one(self, number: int) -> bool:
        """Send a signed request to enrollment's signature probe."""
        header = signature_header(self._devices[number], "/pa/signature/validate", BODY)
        status, _ = await self._clients.post(number, BODY, header)
        return status == 200

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()


class DoorVerifyLoad:
    """The same verification at the core's DMZ door, called directly."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._devices = prepared.devices
        self._clients = _Clients(f"{target.core}/dmz/v1/signed/verify", target.dmz_auth)

    async def open(self) -> None:
        """Open the connections."""
        await self._clients.open(len(self._devices))

    async def one(self, number: int) -> bool:
        """Ask the door what enrollment would ask it."""
        device = self._devices[number]
        request = {
            "header": device.sign(BODY, uri_id=LOGIN).header,
            "method": "POST",
            "uriId": LOGIN,
            "allowedSignatureTypes": ["possession_knowledge"],
            "body": b64encode(BODY),
        }
        content = json.dumps({"requestObject": request}, separators=(",", ":")).encode()
        status, answer = await self._clients.post(number, content)
        return status == 200 and b'"authenticated":true' in answer

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()


class OperationLoad:
    """The bank creates an operation at the core, the phone approves it through enrollment."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._prepared = prepared
        self._create = _Clients(f"{target.core}/rest/v3/operation/create", target.core_auth)
        self._approve = _Clients(f"{target.enrollment}/api/auth/token/app/operation/authorize", None)

    async def open(self) -> None:
        """Create the template if need be, and open the connections."""
        templates = await self._prepared.core.call("operation/template/list")
        if _TEMPLATE["templateName"] not in {item["templateName"] for item in templates}:
            await self._prepared.core.call("operation/template/create", **_TEMPLATE)
        await self._create.open(len(self._prepared.devices))
        await self._approve.open(len(self._prepared.devices))

    async def one(self, number: int) -> bool:
        """Create and approve one operation."""
        device = self._prepared.devices[number]
        request = {
            "userId": device.user_id,
            "applications": [APPLICATION],
            "templateName": _TEMPLATE["templateName"],
            "parameters": {"amount": "100.00", "currency": "CZK"},
        }
        status, body = await self._create.post(number, json.dumps({"requestObject": request}).encode())
        if status != 200:
            return False
        operation = json.loads(body)["responseObject"]
        approval = {"requestObject": {"id": operation["id"], "data": operation["data"]}}
        content = json.dumps(approval, separators=(",", ":")).encode()
        status, _ = await self._approve.post(number, content, signature_header(device, _AUTHORIZE, content))
        return status == 200

    def close(self) -> None:
        """Close the connections."""
        self._create.close()
        self._approve.close()


class ActivateLoad:
    """A whole activation: init at the core, key exchange through enrollment in 3.3, commit at the core."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        application = prepared.application
        self._core = prepared.core
        self._transport = HttpTransport(target.enrollment)
        self._config = AppConfig.from_sdk_config(
            target.enrollment, application.sdk_config, ProtocolVersion.V3_3
        )

    async def open(self) -> None:
        """Nothing to open."""

    async def one(self, number: int) -> bool:
        """Activate one new device."""
        created = await self._core.call(
            "activation/init", userId=f"bench-user-{number}", applicationId=APPLICATION
        )
        device = Device(self._config, self._transport)
        result = await device.activate_with_code(
            created["activationCode"], "1234", profile=DeviceProfile(name=f"bench {time.time_ns()}")
        )
        answer = await self._core.call("activation/commit", activationId=result.activation_id)
        return bool(answer["activated"])

    def close(self) -> None:
        """Nothing to close."""


class TokenLoad:
    """``token/validate`` at the core with one token a client."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._prepared = prepared
        self._clients = _Clients(f"{target.core}/rest/v3/token/validate", target.core_auth)
        self._tokens: list[tuple[str, bytes]] = []

    async def open(self) -> None:
        """Create the tokens at the core, and open the connections."""
        self._tokens = [
            await device.create_token(self._prepared.core.post) for device in self._prepared.devices
        ]
        await self._clients.open(len(self._prepared.devices))

    async def one(self, number: int) -> bool:
        """Validate one fresh digest."""
        status, body = await self._clients.post(number, validate_body(*self._tokens[number]))
        return status == 200 and b'"tokenValid":true' in body

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()


def signature_header(device: Phone, uri_id: str, body: bytes) -> str:
    """The authorization header line for a POST through enrollment."""
    return f"{AUTHORIZATION_HEADER}: {device.sign(body, uri_id=uri_id).header_text}\r\n"
