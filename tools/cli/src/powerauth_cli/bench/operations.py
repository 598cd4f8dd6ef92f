"""Loads around payment operations."""

from __future__ import annotations

import json
import time

from powerauth_cli.bench.load import Clients
from powerauth_cli.bench.prepared import APPLICATION, Prepared, signature_header
from powerauth_cli.bench.provision import CoreApi
from powerauth_cli.bench.target import Target
from powerauth_protocol.generation import NEWEST
from powerauth_protocol.v3.http_headers import TOKEN_HEADER
from powerauth_sdk.signing import sign_token

_PHONE = "/api/auth/token/app/operation"
_AUTHORIZE = "/operation/authorize"
_PENDING = 10
TEMPLATE = {
    "templateName": "bench-payment",
    "operationType": "bench_payment",
    "signatureType": ["POSSESSION_KNOWLEDGE"],
    "dataTemplate": "A1*A${amount}${currency}",
    "expiration": 3600,
    "maxFailureCount": 5,
}
_TEXTS = {
    "placeholder": TEMPLATE["operationType"],
    "language": "en",
    "title": "Payment approval",
    "message": "Approve a payment of ${amount} ${currency}",
}


class CreateLoad:
    """The bank creates operations at the core."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._prepared = prepared
        self._clients = Clients(target.core, target.core_auth)

    async def open(self) -> None:
        """Create the template if need be, and open the connections."""
        await ensure_template(self._prepared.core)
        await self._clients.open(len(self._prepared.devices))

    async def one(self, number: int) -> bool:
        """Create one operation."""
        return await self.create(number) is not None

    async def create(self, number: int) -> dict[str, str] | None:
        """Create one operation for a client's user; None if the core refused."""
        body = create_body(self._prepared.devices[number].user_id)
        status, answer = await self._clients.post(number, "/rest/v3/operation/create", body)
        return json.loads(answer)["responseObject"] if status == 200 else None

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()


class OperationLoad:
    """The bank creates an operation at the core, the phone approves it through enrollment."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._devices = prepared.devices
        self._bank = CreateLoad(target, prepared)
        self._phones = Clients(target.enrollment)

    async def open(self) -> None:
        """Create the template if need be, and open the connections."""
        await self._bank.open()
        await self._phones.open(len(self._devices))

    async def one(self, number: int) -> bool:
        """Create and approve one operation."""
        operation = await self._bank.create(number)
        if operation is None:
            return False
        approval = {"requestObject": {"id": operation["id"], "data": operation["data"]}}
        content = json.dumps(approval, separators=(",", ":")).encode()
        header = signature_header(self._devices[number], _AUTHORIZE, content)
        status, _ = await self._phones.post(number, f"{_PHONE}/authorize", content, header)
        return status == 200

    def close(self) -> None:
        """Close the connections."""
        self._bank.close()
        self._phones.close()


class ListLoad:
    """The phone asks for its pending operations, ten of them, with a token and in its language."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._prepared = prepared
        self._bank = CreateLoad(target, prepared)
        self._phones = Clients(target.enrollment)
        self._tokens: list[tuple[str, bytes]] = []

    async def open(self) -> None:
        """Create tokens and operations, and open the connections."""
        devices = self._prepared.devices
        await self._bank.open()
        await self._phones.open(len(devices))
        for number, device in enumerate(devices):
            self._tokens.append(await device.create_token(self._prepared.core.post))
            for _ in range(_PENDING):
                if await self._bank.create(number) is None:
                    raise RuntimeError("the core creates no operation")

    async def one(self, number: int) -> bool:
        """Ask, and see that all ten are in the answer."""
        header = f"{token_header(self._tokens[number])}Accept-Language: en\r\n"
        status, body = await self._phones.post(number, f"{_PHONE}/list", b'{"requestObject":{}}', header)
        return status == 200 and body.count(b'"formData"') == _PENDING

    def close(self) -> None:
        """Close the connections."""
        self._bank.close()
        self._phones.close()


async def ensure_template(core: CoreApi) -> None:
    """Create the template of the measured operations with its texts if it is not there."""
    templates = await core.call("operation/template/list")
    if TEMPLATE["templateName"] not in {item["templateName"] for item in templates}:
        await core.call("operation/template/create", **TEMPLATE)
        await core.call("operation/text/update", **_TEXTS)


def create_body(user_id: str, template_name: str = "bench-payment") -> bytes:
    """The body of an ``operation/create`` call."""
    request = {
        "userId": user_id,
        "applications": [APPLICATION],
        "templateName": template_name,
        "parameters": {"amount": "100.00", "currency": "CZK"},
    }
    return json.dumps({"requestObject": request}, separators=(",", ":")).encode()


def token_header(token: tuple[str, bytes]) -> str:
    """The token header line of one request."""
    header = sign_token(*token, int(time.time() * 1000), NEWEST)
    return f"{TOKEN_HEADER}: {header.build()}\r\n"
