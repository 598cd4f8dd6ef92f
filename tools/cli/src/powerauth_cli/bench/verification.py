"""Loads that check signatures and tokens."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence

from powerauth_cli.bench.load import Clients
from powerauth_cli.bench.prepared import Prepared, signature_header
from powerauth_cli.bench.provision import BenchPhone, verify_body
from powerauth_cli.bench.target import Target
from powerauth_cli.bench.tokens import validate_body
from powerauth_protocol.common.encoding import b64encode

LOGIN = "/login"
BODY = b'{"channel":"internet-bank","amount":"100.00"}'
_MOST_PER_SECOND = 8_000


class SignedStock:
    """Requests with codes. Phones sign on their own time, not on the server's: before the measured time.

    :param make: a request with a device's next code
    """

    def __init__(self, devices: Sequence[BenchPhone], make: Callable[[BenchPhone], bytes]) -> None:
        self._devices = devices
        self._make = make
        self._signed: list[deque[tuple[bytes, bytes]]] = [deque() for _ in devices]

    async def stock_up(self, seconds: float) -> None:
        """Sign what a round of this length can use up at most."""
        each = int(seconds * _MOST_PER_SECOND / len(self._devices))
        for device, signed in zip(self._devices, self._signed, strict=True):
            while len(signed) < each:
                counter = device.ctr_data
                signed.append((self._make(device), counter))

    def put_back(self) -> None:
        """Forget the codes that were not used, so that the devices' counters are where the core's are."""
        for device, signed in zip(self._devices, self._signed, strict=True):
            if signed:
                device.ctr_data = signed[0][1]
                signed.clear()

    def take(self, number: int) -> bytes:
        """The next request of a client."""
        signed = self._signed[number]
        return signed.popleft()[0] if signed else self._make(self._devices[number])


class VerifyLoad:
    """``signature/verify`` at the core: each client signs with a device of its own."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._stock = SignedStock(prepared.devices, lambda device: verify_body(device, "POST", LOGIN, BODY))
        self._number_of_clients = len(prepared.devices)
        self._clients = Clients(target.core, target.core_auth)
        self.stock_up, self.put_back = self._stock.stock_up, self._stock.put_back

    async def open(self) -> None:
        """Open the connections."""
        await self._clients.open(self._number_of_clients)

    async def one(self, number: int) -> bool:
        """Have a code verified, and see that it was valid."""
        code = self._stock.take(number)
        status, body = await self._clients.post(number, "/rest/v3/signature/verify", code)
        return status == 200 and b'"signatureValid":true' in body

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()


class EnrollmentVerifyLoad:
    """The same verification through the enrollment service."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._devices = prepared.devices
        self._clients = Clients(target.enrollment)

    async def open(self) -> None:
        """Open the connections."""
        await self._clients.open(len(self._devices))

    async def one(self, number: int) -> bool:
        """Send a signed request to enrollment's signature probe."""
        header = signature_header(self._devices[number], "/pa/signature/validate", BODY)
        status, _ = await self._clients.post(number, "/pa/v3/signature/validate", BODY, header)
        return status == 200

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()


class DoorVerifyLoad:
    """The same verification at the core's DMZ door, called directly."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._devices = prepared.devices
        self._clients = Clients(target.core, target.dmz_auth)

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
        status, answer = await self._clients.post(number, "/dmz/v1/signed/verify", content)
        return status == 200 and b'"authenticated":true' in answer

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()


class TokenLoad:
    """``token/validate`` at the core with one token a client."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._prepared = prepared
        self._clients = Clients(target.core, target.core_auth)
        self._tokens: list[tuple[str, bytes]] = []

    async def open(self) -> None:
        """Create the tokens at the core, and open the connections."""
        self._tokens = [
            await device.create_token(self._prepared.core.post) for device in self._prepared.devices
        ]
        await self._clients.open(len(self._prepared.devices))

    async def one(self, number: int) -> bool:
        """Validate one fresh digest."""
        digest = validate_body(*self._tokens[number])
        status, body = await self._clients.post(number, "/rest/v3/token/validate", digest)
        return status == 200 and b'"tokenValid":true' in body

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()
