"""Whether the client of a request that waits is still there (D28)."""

from __future__ import annotations

import asyncio
from collections import deque

from starlette.types import Message, Receive

MAX_AHEAD = 64 * 1024
"""Bytes of a body that are taken in before anybody asks for it."""


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
