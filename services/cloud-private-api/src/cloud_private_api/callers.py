"""Who makes a request: found out by the route before anything else happens."""

from __future__ import annotations

from typing import Annotated, Protocol, cast

from fastapi import Depends
from starlette.requests import Request

from cloud_private_api.access.rules import Caller
from cloud_private_api.auth.authenticator import Authenticator
from cloud_private_api.auth.login import Login
from servicekit.addresses import TrustedProxies
from servicekit.edge.middleware import PatientReceive


class Ports(Protocol):
    """What tells who calls."""

    @property
    def authenticator(self) -> Authenticator: ...

    @property
    def proxies(self) -> TrustedProxies: ...


async def authenticated(request: Request, receive: PatientReceive) -> Caller:
    """Who makes a request whose messages come through ``receive``.

    :raises Unauthorized: nobody known
    :raises TooManyRequests: too many attempts
    """
    ports: Ports = request.app.state.cloud
    return await ports.authenticator.authenticate(Login.of(request, receive, ports.proxies))


# A coroutine, because the framework runs plain functions in a thread.
async def _caller(request: Request) -> Caller:
    return cast(Caller, request.state.caller)


CallerDep = Annotated[Caller, Depends(_caller)]
"""Parameter type of a route: who makes this request."""
