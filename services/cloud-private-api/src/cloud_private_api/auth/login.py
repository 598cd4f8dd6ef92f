"""What a request brings along to prove who makes it, and whether its client still waits (D28)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from starlette.requests import Request

from cloud_private_api.errors import Unauthorized
from servicekit.callers import TrustedProxies, limited_network
from servicekit.edge.middleware import PatientReceive

T = TypeVar("T")


# A value, never changed. Not frozen: that makes it five times as dear, and every request has one.
@dataclass(slots=True)
class Login:
    """One request's claim to be somebody.

    :ivar authorization: the header, secret
    :ivar locate: tells where the client is, as limits count it; whoever is remembered is not limited
    """

    authorization: str | None
    locate: Callable[[], str]
    receive: PatientReceive

    @classmethod
    def of(cls, request: Request, receive: PatientReceive, proxies: TrustedProxies) -> Login:
        """From a request whose messages come through ``receive``."""
        return cls(request.headers.get("authorization"), partial(_network_of, request, proxies), receive)

    def __repr__(self) -> str:
        return f"Login(network={self.locate()!r})"

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


def _network_of(request: Request, proxies: TrustedProxies) -> str:
    peer = request.client.host if request.client is not None else None
    return limited_network(proxies.client_address(peer, request.headers.getlist("x-forwarded-for")))
