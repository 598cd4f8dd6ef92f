"""Several calls to one service in one request, each answered when it is done: spec/call-bundles.md §2, §3."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from servicekit import logs, metrics
from servicekit.batching import BatchQueue
from servicekit.errors import RemoteUnavailable
from servicekit.http import RawAnswer, ServiceClient

CONTENT_TYPE = "application/x-call-bundle"
MOST_CALLS = 64
MOST_BYTES = 256 * 1024
"""Of the bodies in a bundle; a longer one is a request by itself."""
MOST_ANSWER_BYTES = 1024 * 1024
"""Of one answer."""

_PARTS = 4
_NONE = b"-"
_BY_ITSELF = 0
_PATIENCE_SECONDS = 0.02
"""A bundle that takes longer does not keep the next one waiting."""
_WITHOUT_BUNDLES_SECONDS = 60.0
"""How long calls go alone after the other service did not know of bundles."""

_log = logs.get_logger(__name__)
_sizes = metrics.histogram(
    "http_client_bundle_calls", "Calls in a bundle", (), buckets=(1, 2, 4, 8, 16, 32, 64)
)


class MalformedBundle(ValueError):
    """Bytes that are no bundle."""


class BundledCall(NamedTuple):
    """One call of a bundle."""

    number: int
    path: str
    correlation_id: str | None
    body: bytes


class BundledAnswer(NamedTuple):
    """The answer to a call.

    :ivar status: 0: the call has to be made by itself
    :ivar retry_after: in seconds
    """

    number: int
    status: int
    retry_after: str | None
    body: bytes


def write_calls(calls: Sequence[BundledCall]) -> bytes:
    """The content of a request. Paths and bodies hold no line breaks, paths no blanks."""
    return b"".join(
        [
            b"%d %s %s %s\n"
            % (number, path.encode(), correlation_id.encode() if correlation_id else _NONE, body)
            for number, path, correlation_id, body in calls
        ]
    )


def read_calls(content: bytes) -> list[BundledCall]:
    """The calls of a request.

    :raises MalformedBundle: no calls, too many, or not calls
    """
    lines = content.removesuffix(b"\n").split(b"\n")
    if len(lines) > MOST_CALLS:
        raise MalformedBundle
    calls = []
    for line in lines:
        parts = line.split(b" ", 3)
        if len(parts) != _PARTS or not parts[0].isdigit():
            raise MalformedBundle
        number, path, correlation_id, body = parts
        known = None if correlation_id == _NONE else correlation_id.decode("latin-1")
        calls.append(BundledCall(int(number[:9]), path.decode("latin-1"), known, body))
    return calls


def write_answer(number: int, status: int, retry_after: str | None, body: bytes) -> bytes:
    """The line of one answer."""
    retry = retry_after.encode("latin-1") if retry_after else _NONE
    # In JSON a line break stands between members only.
    return b"%d %d %s %s\n" % (number, status, retry, body.replace(b"\n", b" "))


def refuse(number: int) -> bytes:
    """The line that says that a call has to be made by itself."""
    return write_answer(number, _BY_ITSELF, None, _NONE)


class AnswerReader:
    """Puts lines together out of what arrives."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[BundledAnswer]:
        """The answers that are complete with this.

        :raises MalformedBundle: not answers, or one that is too long
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MOST_ANSWER_BYTES:
            raise MalformedBundle
        answers = []
        for line in lines:
            parts = line.split(b" ", 3)
            if len(parts) != _PARTS or not parts[0].isdigit() or not parts[1].isdigit():
                raise MalformedBundle
            retry_after = None if parts[2] == _NONE else parts[2].decode("latin-1")
            answers.append(BundledAnswer(int(parts[0][:9]), int(parts[1][:3]), retry_after, parts[3]))
        return answers


@dataclass(slots=True)
class _Waiting:
    call: BundledCall
    answer: asyncio.Future[RawAnswer | None] = field(repr=False)


class Bundler:
    """Makes calls in bundles when there is more than one to make (spec/call-bundles.md §4).

    :param client: of the other service; each of its time-outs holds for a bundle
    :param path: where the other service takes bundles
    :param in_flight: bundles on their way at a time
    """

    def __init__(self, client: ServiceClient, path: str, *, in_flight: int = 1) -> None:
        self._client = client
        self._path = path
        self._queue: BatchQueue[_Waiting] = BatchQueue(_choose, self._start, in_flight=in_flight)
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
        self._queue.put(_Waiting(call, answer))
        answered = await answer
        return answered if answered is not None else await self._client.post_json(path, body)

    async def _start(self, batch: list[_Waiting]) -> None:
        sending = asyncio.get_running_loop().create_task(self._send(batch))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        await asyncio.wait([sending], timeout=_PATIENCE_SECONDS)

    async def _send(self, batch: list[_Waiting]) -> None:
        _sizes.observe(len(batch))
        try:
            if len(batch) == 1:
                await self._send_alone(batch[0])
            else:
                await self._send_together(batch)
        except RemoteUnavailable as error:
            _fail(batch, error)
        except BaseException:
            _fail(batch, RemoteUnavailable("the bundle was given up"))
            raise
        _fail(batch, RemoteUnavailable("an answer is missing in the bundle"))

    async def _send_alone(self, waiting: _Waiting) -> None:
        logs.correlation_id.set(waiting.call.correlation_id)  # of this task alone
        _settle(waiting, await self._client.post_json(waiting.call.path, waiting.call.body))

    async def _send_together(self, batch: list[_Waiting]) -> None:
        reader = AnswerReader()

        def arrived(data: bytes) -> None:
            for number, status, retry_after, body in reader.feed(data):
                if number < len(batch):
                    headers = {} if retry_after is None else {"Retry-After": retry_after}
                    _settle(batch[number], RawAnswer(status, body, headers) if status else None)

        logs.correlation_id.set(None)
        content = write_calls([waiting.call._replace(number=number) for number, waiting in enumerate(batch)])
        try:
            answer = await self._client.stream(self._path, content, CONTENT_TYPE, arrived)
        except MalformedBundle as error:
            raise RemoteUnavailable("the answer is no bundle") from error
        if answer.status == 404:
            _log.warning("calls are not bundled: the other service does not know of it")
            self._alone_until = asyncio.get_running_loop().time() + _WITHOUT_BUNDLES_SECONDS
            for waiting in batch:
                _settle(waiting, None)
        elif answer.status != 200:
            for waiting in batch:
                _settle(waiting, answer)


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
