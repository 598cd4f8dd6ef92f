"""Several calls in one request, each judged and answered by itself (spec/call-bundles.md §3)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from servicekit import logs
from servicekit.bundles import CONTENT_TYPE, BundledCall, MalformedBundle, read_calls, refuse, write_answer
from servicekit.edge.fast import ObjectCall
from servicekit.edge.middleware import EDGE_KEY, EdgeMiddleware
from servicekit.errors import EXPECTED_ERRORS, ErrorContext, ErrorFamily, ErrorHandlers, error_response
from servicekit.tracing import CALLS_HEADER, NONE

log = logs.get_logger(__name__)


class Bundles:
    """The endpoint that takes bundles of the calls that it knows; each is counted and logged as one alone.

    It stands behind an `EdgeMiddleware`.
    """

    def __init__(self, calls: Mapping[str, ObjectCall], family: ErrorFamily) -> None:
        """
        :param calls: by path inside the service
        """
        self._calls = calls
        self._family = family
        self._handlers = ErrorHandlers(family)

    async def answer(self, request: Request) -> Response:
        """Answers each call as soon as it is done."""
        try:
            calls = read_calls(await request.body())
        except MalformedBundle:
            return PlainTextResponse("not a bundle", 400)
        traces = _traces(request)
        return _Lines([self._line(call, request, trace) for call, trace in zip(calls, traces, strict=False)])

    async def _line(self, bundled: BundledCall, request: Request, trace: str | None) -> bytes:
        """The answer's line; a call that is not for bundles, or whose refusal the route words, is refused."""
        number, path, correlation_id, body = bundled
        call = self._calls.get(path)
        if call is None:
            return refuse(number)
        try:
            wanted = call.read(body)
        except ValidationError:
            return refuse(number)
        edge: EdgeMiddleware = request.scope[EDGE_KEY]
        started = time.perf_counter()
        # Of this task alone.
        logs.correlation_id.set(edge.correlation_of(correlation_id))
        if edge.traced:
            edge.arrive(trace, "POST")
        try:
            answered = await call.perform(request.app, wanted)
        except EXPECTED_ERRORS as error:
            answered = await self._handlers.answer(request, error)
        except Exception:
            log.exception("unexpected error", route=path)
            answered = error_response(self._family.unexpected(ErrorContext("POST", path)))
        edge.record("POST", path, answered.status_code, started)
        return write_answer(
            number, answered.status_code, answered.headers.get("retry-after"), bytes(answered.body)
        )


def _traces(request: Request) -> Iterable[str | None]:
    """The traceparent of each call, as far as they are to be believed."""
    edge: EdgeMiddleware = request.scope[EDGE_KEY]
    given = request.headers.get(CALLS_HEADER, "") if edge.trusts_traces else ""
    return chain((None if each == NONE else each for each in given.split(",") if each), repeat(None))


class _Lines(Response):
    """Sends lines in the order in which they are done."""

    def __init__(self, lines: Sequence[Coroutine[Any, Any, bytes]]) -> None:
        self._lines = lines

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", CONTENT_TYPE.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        pending = {asyncio.create_task(line) for line in self._lines}
        try:
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                body = b"".join([task.result() for task in done])
                await send({"type": "http.response.body", "body": body, "more_body": bool(pending)})
        finally:
            for task in pending:
                task.cancel()
