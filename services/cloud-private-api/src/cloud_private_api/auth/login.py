"""What a request brings along to prove who makes it, and whether its client still waits (D28)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.types import Message, Receive

from cloud_private_api.errors import Unauthorized
from servicekit.addresses import TrustedProxies, limited_network

MAX_AHEAD = 64 * 1024
"""Bytes of a body that are taken in before it is known whose it is."""

T = TypeVar("T")


class PatientReceive:
    """An ASGI ``receive`` that notices the end of the connection before anybody asks for the body."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._kept: deque[Message] = deque()

    async def __call__(self) -> Message:
        """The next message, as the server gave it."""
        return self._kept.popleft() if self._kept else await self._receive()

    async def disconnected(self) -> None:
        """Return when the client is gone; of a client that sends a long body it is not noticed."""
        ahead = 0
        while ahead <= MAX_AHEAD:
            message = await self._receive()
            self._kept.append(message)
            if message["type"] == "http.disconnect":
                return
            ahead += len(message.get("body", b""))
        await asyncio.Event().wait()


@dataclass(frozen=True, slots=True)
class Login:
    """One request's claim to be somebody.

    :ivar authorization: the header, secret
    :ivar network: where the client is, as limits count it
    """

    authorization: str | None
    network: str
    receive: PatientReceive

    @classmethod
    def of(cls, request: Request, receive: PatientReceive, proxies: TrustedProxies) -> Login:
        """From a request whose messages come through ``receive``."""
        peer = request.client.host if request.client is not None else None
        address = proxies.client_address(peer, request.headers.getlist("x-forwarded-for"))
        return cls(request.headers.get("authorization"), limited_network(address), receive)

    def __repr__(self) -> str:
        return f"Login(network={self.network!r})"

    async def while_connected(self, work: Coroutine[Any, Any, T]) -> T:
        """The outcome of the work, which is cancelled when the client goes.

        :raises Unauthorized: the client is gone; nobody reads this
        """
        task = asyncio.create_task(work)
        watch = asyncio.create_task(self.receive.disconnected())
        try:
            await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Unauthorized
            return task.result()
        finally:
            task.cancel()
            watch.cancel()
            await asyncio.gather(task, watch, return_exceptions=True)
