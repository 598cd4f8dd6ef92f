"""A TCP proxy that leads to one of several servers, as the address of a database does over a failover, or to
all of them in turn, as that of a replicated service does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

_ANSWER = b"HTTP/1.1 "


class Switch:
    """Carries connections to the servers that it leads to at the moment, in turn, past those that are away.

    :param targets: ports of the servers on the loopback interface
    :param port: its own; 0: a free one
    """

    def __init__(self, *targets: int, port: int = 0) -> None:
        self._targets = deque(targets)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._drained: set[int] = set()
        self.port = port

    def lead_to(self, *targets: int, cut: bool) -> None:
        """Lead new connections elsewhere.

        :param cut: break those that there are; otherwise they stay with the server that they have
        """
        self._targets = deque(targets)
        if cut:
            for writer in list(self._open):
                writer.transport.abort()

    def drain(self, target: int) -> None:
        """As a balancer that speaks HTTP does with a server that is about to go: an answer from there is the
        last one of its connection.
        """
        self._drained.add(target)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.lead_to(cut=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far = await self._reach()
        if far is None:
            writer.transport.abort()
            return
        target, far_reader, far_writer = far
        self._open |= {writer, far_writer}

        def answered(data: bytes) -> bytes:
            if target in self._drained and data.startswith(_ANSWER):
                return data.replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
            return data

        with suppress(OSError):
            await asyncio.gather(_pump(reader, far_writer, bytes), _pump(far_reader, writer, answered))
        self._open -= {writer, far_writer}

    async def _reach(self) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in range(len(self._targets)):
            self._targets.rotate()
            target = self._targets[0]
            with suppress(OSError):
                return target, *await asyncio.open_connection("127.0.0.1", target)
        return None


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passed: Callable[[bytes], bytes]
) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(passed(data))
            await writer.drain()
    finally:
        writer.close()
