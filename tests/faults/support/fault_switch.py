"""A TCP proxy that leads to one of several servers, as the address of a database does over a failover, or to
all of them in turn, as that of a replicated service does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from fault_stack import until

_PIECE = 65536


@dataclass(eq=False)
class _Carried:
    """A client's connection, and the one to a server that goes with it.

    :ivar waiting: whether the last word was the client's, or nobody has said any
    :ivar answered: whether a server has said anything at all
    """

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter | None = None
    target: int = 0
    waiting: bool = True
    answered: bool = False
    answers: set[asyncio.Task[None]] = field(default_factory=set)

    def cut(self) -> None:
        """Break both."""
        for writer in (self.near, self.far):
            if writer is not None:
                writer.transport.abort()

    async def ask(self, data: bytes) -> None:
        """Give the server what the client says."""
        assert self.far is not None
        self.waiting = True
        self.far.write(data)
        await self.far.drain()

    def close(self) -> None:
        """Let go of both."""
        self.near.close()
        if self.far is not None:
            self.far.close()


class Switch:
    """Carries connections to the servers that it leads to at the moment, in turn, past those that are away.

    :param targets: ports of the servers on the loopback interface
    :param port: its own; 0: a free one
    """

    def __init__(self, *targets: int, port: int = 0) -> None:
        self._targets = deque(targets)
        self._server: asyncio.Server | None = None
        self._open: set[_Carried] = set()
        self._avoided: set[int] = set()
        self.port = port

    def lead_to(self, *targets: int, cut: bool) -> None:
        """Lead new connections elsewhere.

        :param cut: break those that there are; otherwise they stay with the server that they have
        """
        self._targets = deque(targets)
        if cut:
            for carried in list(self._open):
                carried.cut()

    async def leave(self, target: int, *, by_request: bool) -> None:
        """Wait until what was on its way to a server, to which nothing new is led, has arrived there.

        :param by_request: as a balancer that speaks HTTP: connections that stay bring the next request to
            another server; otherwise to this one, as all that only carries connections does
        """
        if by_request:
            self._avoided.add(target)

        def on_their_way() -> list[_Carried]:
            there = [carried for carried in self._open if carried.target == target and carried.waiting]
            return [carried for carried in there if by_request or not carried.answered]

        await until(lambda: not on_their_way(), on_their_way)

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

    async def _carry(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        carried = _Carried(near)
        self._open.add(carried)
        try:
            with suppress(OSError):
                await self._reach(carried)
                while data := await reader.read(_PIECE):
                    if self._goes_elsewhere(carried):
                        await self._reach(carried)
                    await carried.ask(data)
        finally:
            self._open.discard(carried)
            carried.close()
            await asyncio.gather(*carried.answers)

    def _goes_elsewhere(self, carried: _Carried) -> bool:
        """Whether a request that begins now is led past the server that had those before it."""
        return carried.target in self._avoided and not carried.waiting

    async def _reach(self, carried: _Carried) -> None:
        """Connect to the server whose turn it is, or to the next that is there.

        :raises ConnectionRefusedError: all are away
        """
        if carried.far is not None:
            carried.far.close()
        carried.far, carried.waiting, carried.answered = None, True, False
        # Whoever comes meanwhile takes turns too: each looks at every server once.
        self._targets.rotate()
        for carried.target in tuple(self._targets):
            with suppress(OSError):
                reader, carried.far = await asyncio.open_connection("127.0.0.1", carried.target)
                answers = asyncio.create_task(self._answer(carried, reader, carried.far))
                carried.answers.add(answers)
                return
        raise ConnectionRefusedError

    async def _answer(
        self, carried: _Carried, reader: asyncio.StreamReader, far: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_PIECE):
                carried.waiting, carried.answered = False, True
                carried.near.write(data)
                await carried.near.drain()
        if carried.far is far and not self._goes_elsewhere(carried):
            carried.near.close()
