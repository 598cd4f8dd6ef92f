"""Endpoints at which strangers can try keys, codes and envelopes: their failures count per address (D18)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from enrollment.container import enrollment_of

Endpoint = Callable[[Request], Awaitable[Response]]


def counting_failures(endpoint: Endpoint) -> Endpoint:
    """The endpoint, whose failures count on the client's address; over the limit its requests wait in turn.

    :raises TooManyRequests: when the queue of the address is full.
    """

    @wraps(endpoint)
    async def counted(request: Request) -> Response:
        enrollment = enrollment_of(request)
        async with enrollment.limits.counting_failures(enrollment.client_network(request)):
            return await endpoint(request)

    return counted
