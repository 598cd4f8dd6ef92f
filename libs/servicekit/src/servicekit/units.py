"""Running a request again: once, when the database undid all of it and nobody else has heard of it (D27).

A unit is a request, or a call of a bundle. The database tells that a fault left nothing behind, and whoever
stores or sends something tells that a second run would do it twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

T = TypeVar("T")

_FIRST_FAILURE = 400


@dataclass(slots=True)
class _Unit:
    undone: bool = False
    spent: bool = False

    @property
    def may_run_again(self) -> bool:
        return self.undone and not self.spent


_current: ContextVar[_Unit | None] = ContextVar("unit", default=None)


def undone() -> None:
    """A fault that another connection, or another moment, may not have, and that left nothing behind."""
    unit = _current.get()
    if unit is not None:
        unit.undone = True


def spent() -> None:
    """Something is about to be stored, or told to somebody else, that a second run would repeat."""
    unit = _current.get()
    if unit is not None:
        unit.spent = True


async def repeated(work: Callable[[], Awaitable[T]]) -> T:
    """Do a unit of work, a second time if it failed without leaving anything behind."""
    unit = _Unit()
    token = _current.set(unit)
    try:
        try:
            return await work()
        except Exception:
            if not unit.may_run_again:
                raise
        return await work()
    finally:
        _current.reset(token)


class RunAgain:
    """ASGI middleware right in front of the router: :func:`repeated` for whole requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        unit, before = _Unit(), dict(scope)
        run = _FirstRun(unit, receive, send)
        token = _current.set(unit)
        try:
            await self._app(scope, run.receive, run.send)
            if run.withheld:
                scope.clear()
                scope.update(before)
                await self._app(scope, run.receive_again, send)
        finally:
            _current.reset(token)


class _FirstRun:
    """Remembers what arrived, and withholds a failure that a second run may not have."""

    __slots__ = ("_receive", "_received", "_send", "_unit", "withheld")

    def __init__(self, unit: _Unit, receive: Receive, send: Send) -> None:
        self._unit = unit
        self._receive = receive
        self._send = send
        self._received: deque[Message] = deque()
        self.withheld = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._received.append(message)
        return message

    async def receive_again(self) -> Message:
        return self._received.popleft() if self._received else await self._receive()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= _FIRST_FAILURE:
            self.withheld = self._unit.may_run_again
        if not self.withheld:
            await self._send(message)
