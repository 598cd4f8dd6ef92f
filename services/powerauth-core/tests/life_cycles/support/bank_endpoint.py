"""A bank's endpoint for callbacks that accepts, fails or hangs up, as it is told."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

ACCEPT, FAIL, REDIRECT, HANG_UP = "accept", "fail", "redirect", "hang up"
_ANSWERS = {
    ACCEPT: b"HTTP/1.1 204 No Content\r\n\r\n",
    FAIL: b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    REDIRECT: b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    HANG_UP: b"",
}


@dataclass(frozen=True, slots=True)
class Received:
    """One request and how it was answered."""

    path: str
    key: str
    body: dict[str, Any]
    behaviour: str


@dataclass
class BankEndpoint:
    """A server in the loop where it is started.

    :ivar behaviour: what it does with the next request
    """

    behaviour: str = ACCEPT
    received: list[Received] = field(default_factory=list)

    async def start(self) -> str:
        """Listen; the address."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening."""
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                path = head[0].split(" ")[1]
                self.received.append(Received(path, headers["idempotency-key"], body, self.behaviour))
                writer.write(_ANSWERS[self.behaviour])
                await writer.drain()
                if self.behaviour == HANG_UP:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
