"""A proxy that lets connections through by `CONNECT`, for those who know its password."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode

from powerauth_cli.fakes.authority import LOOPBACK


class ConnectProxy:
    """A proxy on a free port of this machine; `async with` starts and ends it.

    :ivar connected: `host:port` of each connection that it let through
    :ivar refusing: a status to answer instead; None: it behaves
    """

    def __init__(self, username: str = "", password: str = "") -> None:
        self.port = 0
        self.connected: list[str] = []
        self.refusing: int | None = None
        self._expected = (
            "Basic " + b64encode(f"{username}:{password}".encode()).decode() if username else None
        )
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ConnectProxy:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await self._serve(reader, writer)
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, authority, _ = lines[0].split(" ")
        headers = dict(
            line.lower().split(": ", 1)[:1] + line.split(": ", 1)[1:] for line in lines[1:] if line
        )
        status = self._judge(method, headers.get("proxy-authorization"))
        writer.write(f"HTTP/1.1 {status} -\r\n\r\n".encode())
        if status != 200:
            await writer.drain()
            return
        self.connected.append(authority)
        host, _, port = authority.rpartition(":")
        onward, outward = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.gather(_copy(reader, outward), _copy(onward, writer))
        finally:
            outward.close()

    def _judge(self, method: str, authorization: str | None) -> int:
        if self.refusing is not None:
            return self.refusing
        if method != "CONNECT":
            return 405
        return 200 if self._expected in (None, authorization) else 407


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    target.close()
