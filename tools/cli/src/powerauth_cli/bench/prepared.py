"""What every measurement starts from: an application with one activated device a client."""

from __future__ import annotations

import asyncio
import secrets

from powerauth_cli.bench.provision import (
    Application,
    BenchPhone,
    CoreApi,
    activate,
    create_application,
)
from powerauth_cli.bench.target import Target
from powerauth_protocol.v3.http_headers import AUTHORIZATION_HEADER
from powerauth_sdk.phone import Phone

APPLICATION = "bench"
_PARALLEL_SET_UP = 8


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
        # Users of their own: another preparation at the same core has operations too.
        users = f"bench-user-{secrets.token_hex(4)}"

        async def one(number: int) -> BenchPhone:
            async with gate:
                return await activate(core, application, f"{users}-{number}")

        devices = await asyncio.gather(*[one(number) for number in range(clients)])
        return cls(core, application, list(devices))


def signature_header(device: Phone, uri_id: str, body: bytes) -> str:
    """The authorization header line for a POST through enrollment."""
    return f"{AUTHORIZATION_HEADER}: {device.sign(body, uri_id=uri_id).header_text}\r\n"
