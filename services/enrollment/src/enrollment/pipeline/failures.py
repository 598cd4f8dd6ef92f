"""Endpoints at which strangers can try keys, codes and envelopes: their failures count per address (D18)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from enrollment.container import enrollment_of
from servicekit.edge.middleware import PatientReceive

Endpoint = Callable[[Request], Awaitable[Response]]


def counting_failures(endpoint: Endpoint) -> Endpoint:
    """The endpoint, whose failures count on the client's address; over the limit its requests wait in turn.

    :raises TooManyRequests: when the queue of the address is full.
    :raises ClientDisconnect: when the client did not wait for its turn.
    """

    @wraps(endpoint)
    async def counted(request: Request) -> Response:
        enrollment = enrollment_of(request)
        receive = PatientReceive(request.receive)
        network = enrollment.client_network(request)
        async with enrollment.limits.counting_failures(network, receive.disconnected):
            return await endpoint(Request(request.scope, receive))

    return counted
