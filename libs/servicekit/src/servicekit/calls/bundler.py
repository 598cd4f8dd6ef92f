"""Several calls to one service in one request: the caller's side (spec/call-bundles.md §4)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field

from yarl import URL

from servicekit import logs, metrics, tracing
from servicekit.bundles import (
    CONTENT_TYPE,
    MOST_BYTES,
    MOST_CALLS,
    AnswerReader,
    BundledCall,
    MalformedBundle,
    write_calls,
)
from servicekit.calls.client import RawAnswer, ServiceClient
from servicekit.errors import RemoteUnavailable

_PATIENCE_SECONDS = 0.02
"""A bundle that takes longer does not keep the next one waiting."""
_ENOUGH = 8
"""So many calls that wait go beside the bundle before: as many again would hardly make them cheaper."""
_WITHOUT_BUNDLES_SECONDS = 60.0
"""How long calls go alone after the other service did not know of bundles."""
_NOT_LOOKED_INTO = (400, 404, 405, 413, 415)
"""Of a bundle that was refused with one of these no call was made."""

_log = logs.get_logger(__name__)
_sizes = metrics.histogram("http_client_bundle_calls", "Calls in a bundle", buckets=(1, 2, 4, 8, 16, 32, 64))


@dataclass(slots=True)
class _Waiting:
    call: BundledCall
    answer: asyncio.Future[RawAnswer | None] = field(repr=False)
    span: tracing.Span | None = None


@dataclass(slots=True)
class _Turn:
    """A bundle's place among those on their way, given back once: with the last answer, or before."""

    give_back: Callable[[], None]
    over: bool = False

    def end(self) -> None:
        if not self.over:
            self.over = True
            self.give_back()


class Bundler:
    """Makes calls in bundles when there is more than one to make (spec/call-bundles.md §4).

    One bundle is on its way at a time, or two where enough calls wait. The next one sets out before anybody
    works on the answers of the one before: both services are at work then.

    :param client: of the other service; each of its time-outs holds for a bundle
    :param path: where the other service takes bundles
    """

    def __init__(self, client: ServiceClient, path: str) -> None:
        self._client = client
        self._path = path
        self._on_their_way = 0
        self._starting = False
        self._waiting: deque[_Waiting] = deque()
        self._sending: set[asyncio.Task[None]] = set()
        self._alone_until = 0.0

    async def post_json(self, path: str, body: bytes) -> RawAnswer:
        """As `ServiceClient.post_json`.

        :raises RemoteUnavailable: no answer; the call may have been carried out
        """
        loop = asyncio.get_running_loop()
        if len(body) > MOST_BYTES or b"\n" in body or loop.time() < self._alone_until:
            return await self._client.post_json(path, body)
        answer: asyncio.Future[RawAnswer | None] = loop.create_future()
        call = BundledCall(0, path, logs.correlation_id.get(), body)
        with tracing.step("POST", tracing.Kind.CLIENT) as span:
            self._waiting.append(_Waiting(call, answer, span))
            self._set_out()
            answered = await answer
            if span is not None and answered is not None:
                span.called(URL(self._client.base_url).host, answered.status)
        return answered if answered is not None else await self._client.post_json(path, body)

    def _set_out(self) -> None:
        """Send what waits, if it is its turn."""
        if self._starting or not self._waiting:
            return
        if self._on_their_way < 1 + (len(self._waiting) >= _ENOUGH):
            self._starting = True
            self._on_their_way += 1
            # The task starts after the callbacks that are ready now, so requests read together go together.
            # It works for all of them, and belongs to none.
            sending = asyncio.get_running_loop().create_task(self._take_turn(), context=Context())
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)

    def _give_back(self) -> None:
        self._on_their_way -= 1
        self._set_out()

    async def _take_turn(self) -> None:
        turn, batch = _Turn(self._give_back), _choose(self._waiting)
        self._starting = False
        timer = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, turn.end)
        try:
            if batch:
                await self._send(batch, turn)
        finally:
            timer.cancel()
            turn.end()

    async def _send(self, batch: list[_Waiting], turn: _Turn) -> None:
        _sizes.observe(len(batch))
        try:
            if len(batch) == 1:
                await self._send_alone(batch[0], turn)
            else:
                await self._send_together(batch, turn)
        except RemoteUnavailable as error:
            _fail(batch, error)
        except BaseException:
            _fail(batch, RemoteUnavailable("the bundle was given up"))
            raise
        _fail(batch, RemoteUnavailable("an answer is missing in the bundle"))

    async def _send_alone(self, waiting: _Waiting, turn: _Turn) -> None:
        logs.correlation_id.set(waiting.call.correlation_id)  # of this task alone
        path, body = waiting.call.path, waiting.call.body
        # Its span is there already.
        headers = {} if waiting.span is None else {tracing.HEADER: waiting.span.traceparent}
        answer = await self._client.post_json(path, body, headers)
        turn.end()
        _settle(waiting, answer)

    async def _send_together(self, batch: list[_Waiting], turn: _Turn) -> None:
        reader = AnswerReader(self._client.max_answer_bytes)
        missing = len(batch)

        def arrived(data: bytes) -> None:
            nonlocal missing
            answers = reader.feed(data)
            missing -= len(answers)
            if missing <= 0:
                turn.end()  # first: whoever waits for these answers goes to work with them
            for number, status, retry_after, body in answers:
                if number < len(batch):
                    headers = {} if retry_after is None else {"Retry-After": retry_after}
                    _settle(batch[number], RawAnswer(status, body, headers) if status else None)

        logs.correlation_id.set(None)
        content = write_calls(
            [BundledCall(number, *waiting.call[1:]) for number, waiting in enumerate(batch)]
        )
        try:
            with tracing.together("bundle", batch) as span:
                headers = {"Content-Type": CONTENT_TYPE, **_traces(batch, span)}
                answer = await self._client.stream(self._path, content, headers, arrived)
        except MalformedBundle as error:
            raise RemoteUnavailable("the answer is no bundle") from error
        if answer.status == 200:
            return
        if answer.status == 404:
            _log.warning("calls are not bundled: the other service does not know of it")
            self._alone_until = asyncio.get_running_loop().time() + _WITHOUT_BUNDLES_SECONDS
        elif answer.status in _NOT_LOOKED_INTO:
            _log.warning("a bundle was refused, its calls go alone", status=answer.status)
        for waiting in batch:
            _settle(waiting, None if answer.status in _NOT_LOOKED_INTO else answer)


def _traces(batch: list[_Waiting], bundle: tracing.Span | None) -> dict[str, str]:
    """Headers that say whose parts the calls are, and the bundle."""
    spans = [waiting.span for waiting in batch]
    if not any(spans):
        return {}
    headers = {} if bundle is None else {tracing.HEADER: bundle.traceparent}
    each = [tracing.NONE if span is None else span.traceparent for span in spans]
    return {**headers, tracing.CALLS_HEADER: ",".join(each)}


def together(client: ServiceClient, path: str) -> Bundler | ServiceClient:
    """What makes calls of the other service, in bundles where they come over the network."""
    return Bundler(client, path) if client.streams else client


def _choose(queue: deque[_Waiting]) -> list[_Waiting]:
    """As many calls as a bundle may hold, without those that nobody waits for any more."""
    batch: list[_Waiting] = []
    size = 0
    while queue and len(batch) < MOST_CALLS:
        size += len(queue[0].call.body)
        if batch and size > MOST_BYTES:
            break
        waiting = queue.popleft()
        if not waiting.answer.done():
            batch.append(waiting)
    return batch


def _settle(waiting: _Waiting, answer: RawAnswer | None) -> None:
    if not waiting.answer.done():
        waiting.answer.set_result(answer)


def _fail(batch: list[_Waiting], error: RemoteUnavailable) -> None:
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)
