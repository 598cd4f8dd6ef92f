"""The bank's end of callbacks."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

from fault_load import APPLICATION
from starlette.types import Receive, Scope, Send

from powerauth_cli.bench.provision import CoreApi

REACHES_THIS_MACHINE = {"CORE_ENVIRONMENT": "test", "CORE_EGRESS_ALLOWED_NETWORKS": '["127.0.0.0/8"]'}
ATTEMPTS = 3


def _open() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Receiver:
    """An ASGI application that remembers what it is told.

    :ivar received: idempotency keys in the order in which they came
    :ivar bodies: operation id by idempotency key
    :ivar refusing: whether the first delivery of each key is refused
    :ivar answering: while cleared, deliveries wait for their answer
    """

    received: list[str] = field(default_factory=list)
    bodies: dict[str, str] = field(default_factory=dict)
    refusing: bool = False
    answering: asyncio.Event = field(default_factory=_open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        key = dict(scope["headers"])[b"idempotency-key"].decode()
        self.bodies[key] = json.loads((await receive())["body"])["operationId"]
        first = key not in self.received
        self.received.append(key)
        await self.answering.wait()
        status = 500 if self.refusing and first else 200
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


async def register(core: CoreApi, url: str) -> None:
    """Have changes of operations reported to a receiver."""
    await core.call(
        "application/callback/create",
        applicationId=APPLICATION,
        name="bank",
        type="OPERATION_STATUS_CHANGE",
        callbackUrl=f"{url}/changed",
        attributes=["status"],
        maxAttempts=ATTEMPTS,
        initialBackoff="PT0.05S",
    )
