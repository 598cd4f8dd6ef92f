"""What phones have shown, over HTTP: for a simulated phone that is another process."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from powerauth_cli.fakes.phones import FAKE_PHONES, PATIENCE_SECONDS, Phones

_LONGEST_COUNT = 18
"""Digits: more messages than any phone gets, and a number of the platform."""


def handsets(phones: Phones) -> Starlette:
    """``GET /fake-phones/TOKEN?after=N`` answers ``{"next": N, "messages": […]}``.

    It waits a while for a message. The next request says `after` what the answer to this one says of `next`.
    """

    async def shown(request: Request) -> Response:
        token, after = request.path_params["token"], request.query_params.get("after", "0")
        if not (after.isdecimal() and after.isascii() and len(after) <= _LONGEST_COUNT):
            return Response(status_code=400)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await phones.wait(token, int(after))
        except TimeoutError:
            found = []
        return JSONResponse({"next": phones.count, "messages": [asdict(one) for one in found]})

    return Starlette(routes=[Route(f"{FAKE_PHONES}/{{token}}", shown)])
