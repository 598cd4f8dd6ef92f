"""The same work by a bank at the core and through the cloud API."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod

from rich.console import Console

from powerauth_cli.bench.load import Clients
from powerauth_cli.bench.operations import TEMPLATE, CreateLoad, ensure_template
from powerauth_cli.bench.prepared import APPLICATION, Prepared
from powerauth_cli.bench.provision import BenchPhone
from powerauth_cli.bench.run import WITH_CLOUD, LoadFactory, Measured, Plan, measurement
from powerauth_cli.bench.target import Target
from powerauth_cli.bench.verification import BODY, LOGIN, SignedStock, VerifyLoad
from powerauth_cli.demo.bank import Bank
from powerauth_protocol.common.encoding import b64encode


class _CloudLoad(ABC):
    """A caller of the cloud API for the measured application, with one connection a client.

    :param user: credentials, which `admit` has made
    """

    def __init__(self, target: Target, prepared: Prepared, user: tuple[str, str]) -> None:
        self.devices = prepared.devices
        self.clients = Clients(target.cloud, user)

    async def open(self) -> None:
        """Open the connections."""
        await self.clients.open(len(self.devices))

    def close(self) -> None:
        """Close the connections."""
        self.clients.close()

    @abstractmethod
    async def one(self, number: int) -> bool:
        """One request of a client."""

    async def create(self, number: int) -> dict[str, str] | None:
        """Create one operation for a client's user; None if refused."""
        request = {
            "userId": self.devices[number].user_id,
            "template": TEMPLATE["templateName"],
            "parameters": {"amount": "100.00", "currency": "CZK"},
            "silent": True,
        }
        status, body = await self.clients.post(number, "/v2/operations", json.dumps(request).encode())
        operation: dict[str, str] = json.loads(body)
        return operation if status == 200 else None


async def admit(target: Target) -> tuple[str, str]:
    """Let a user of the cloud API call for the measured application.

    :return: credentials
    """
    admin = Bank(target.cloud, *target.cloud_admin)
    try:
        user = await admin.call("POST", "/admin/users", {"username": APPLICATION})
        await admin.call("POST", f"/admin/users/{APPLICATION}/applications/{APPLICATION}")
    finally:
        await admin.close()
    return user["username"], user["password"]


class CloudCreateLoad(_CloudLoad):
    """The bank creates operations through the cloud API."""

    async def one(self, number: int) -> bool:
        """Create one operation."""
        return await self.create(number) is not None


class CloudReadLoad(_CloudLoad):
    """The bank reads an operation of each client through the cloud API."""

    async def open(self) -> None:
        """Open the connections, and create what is read."""
        await super().open()
        created = [await self.create(number) for number in range(len(self.devices))]
        self._ids = [operation["operationId"] for operation in created if operation is not None]

    async def one(self, number: int) -> bool:
        """Read one operation."""
        status, _ = await self.clients.get(number, f"/v2/operations/{self._ids[number]}")
        return status == 200


class CloudVerifyLoad(_CloudLoad):
    """The bank has signed requests verified through the cloud API."""

    def __init__(self, target: Target, prepared: Prepared, user: tuple[str, str]) -> None:
        super().__init__(target, prepared, user)
        self._stock = SignedStock(prepared.devices, _verification)
        self.stock_up, self.put_back = self._stock.stock_up, self._stock.put_back

    async def one(self, number: int) -> bool:
        """Have a code verified, and see that it was valid."""
        code = self._stock.take(number)
        status, body = await self.clients.post(number, "/v2/signature/verify", code)
        return status == 200 and b'"signatureValid":true' in body


def _verification(device: BenchPhone) -> bytes:
    request = {
        "method": "POST",
        "uriId": LOGIN,
        "authHeader": device.sign(BODY, uri_id=LOGIN).header_text,
        "requestBody": b64encode(BODY),
    }
    return json.dumps(request).encode()


class ReadLoad:
    """The bank reads an operation of each client at the core."""

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._bank = CreateLoad(target, prepared)
        self._clients = Clients(target.core, target.core_auth)
        self._devices = prepared.devices
        self._bodies: list[bytes] = []

    async def open(self) -> None:
        """Open the connections, and create what is read."""
        await self._bank.open()
        await self._clients.open(len(self._devices))
        for number in range(len(self._devices)):
            operation = await self._bank.create(number)
            if operation is None:
                raise RuntimeError("the core creates no operation")
            self._bodies.append(json.dumps({"requestObject": {"operationId": operation["id"]}}).encode())

    async def one(self, number: int) -> bool:
        """Read one operation."""
        status, _ = await self._clients.post(number, "/rest/v3/operation/detail", self._bodies[number])
        return status == 200

    def close(self) -> None:
        """Close the connections."""
        self._bank.close()
        self._clients.close()


async def compare_with_cloud(console: Console, plan: Plan) -> Measured:
    """Create, read and verify, each at the core and through the cloud API, in turn."""
    async with measurement(console, plan, WITH_CLOUD) as run:
        user = await admit(run.target)
        await ensure_template(run.prepared.core)

        def through(load: type[_CloudLoad]) -> LoadFactory:
            return lambda target, prepared: load(target, prepared, user)

        return await run.run(
            {
                "create directly": CreateLoad,
                "create through cloud": through(CloudCreateLoad),
                "read directly": ReadLoad,
                "read through cloud": through(CloudReadLoad),
                "verify directly": VerifyLoad,
                "verify through cloud": through(CloudVerifyLoad),
            }
        )
