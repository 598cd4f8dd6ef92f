"""Calls between services go together when several are to be made, and each gets its own answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import cast

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from servicekit import bundles, logs
from servicekit.bundles import (
    AnswerReader,
    BundledCall,
    MalformedBundle,
    read_calls,
    refuse,
    write_answer,
    write_calls,
)
from servicekit.calls.bundler import Bundler
from servicekit.calls.client import RawAnswer, ServiceClient
from servicekit.errors import RemoteUnavailable
from servicekit.serving import BackgroundServer
from servicekit.testing import PATIENCE_SECONDS


class Door:
    """A service that takes bundles: answers with what it was asked, in the opposite order."""

    def __init__(self) -> None:
        self.bundles: list[list[BundledCall]] = []
        self.alone: list[bytes] = []
        self.status = 200
        self.slow = asyncio.Event()
        self.cut = False

    async def bundle(self, request: Request) -> Response:
        if self.status != 200:
            return PlainTextResponse("no", self.status, headers={"Retry-After": "7"})
        calls = read_calls(await request.body())
        self.bundles.append(calls)

        async def answers() -> AsyncGenerator[bytes]:
            for call in sorted(calls, key=lambda call: (call.path == "/slow", -call.number)):
                if call.path == "/slow":
                    await self.slow.wait()
                if self.cut and call.number == 0:
                    raise RuntimeError("gone")
                if call.path == "/alone":
                    yield refuse(call.number)
                else:
                    # In two pieces: an answer need not arrive whole.
                    line = write_answer(call.number, 201, "3", call.body)
                    yield line[:4]
                    yield line[4:]

        return StreamingResponse(answers(), media_type=bundles.CONTENT_TYPE)

    async def single(self, request: Request) -> Response:
        self.alone.append(await request.body())
        return Response(self.alone[-1], 202)


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
async def bundler(door: Door) -> AsyncGenerator[Bundler]:
    routes = [
        Route("/bundle", door.bundle, methods=["POST"]),
        Route("/{path:path}", door.single, methods=["POST"]),
    ]
    async with BackgroundServer(Starlette(routes=routes)) as server:
        client = ServiceClient(server.url)
        yield Bundler(client, "/bundle")
        await client.close()


def body(number: int) -> bytes:
    return json.dumps({"number": number, "text": 'ž \\ " '}).encode()


async def test_calls_made_together_go_together_and_each_gets_its_own_answer(
    bundler: Bundler, door: Door
) -> None:
    answers = await asyncio.gather(*[bundler.post_json(f"/call/{n}", body(n)) for n in range(10)])
    assert [answer.body for answer in answers] == [body(n) for n in range(10)]
    assert {(answer.status, answer.headers["Retry-After"]) for answer in answers} == {(201, "3")}
    assert [call.path for call in door.bundles[0]] == [f"/call/{n}" for n in range(10)]
    assert door.alone == []


async def test_a_single_call_is_an_ordinary_request(bundler: Bundler, door: Door) -> None:
    answer = await bundler.post_json("/call", body(1))
    assert (answer.status, answer.body, door.bundles, door.alone) == (202, body(1), [], [body(1)])


async def test_every_call_of_many_is_answered_whenever_it_comes(bundler: Bundler) -> None:
    async def client(number: int) -> list[int]:
        seen = []
        for turn in range(50):
            if (number + turn) % 7 == 0:
                await asyncio.sleep(0)
            answer = await bundler.post_json(f"/call/{number}", body(number * 100 + turn))
            seen.append(json.loads(answer.body)["number"] - number * 100)
        return seen

    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asyncio.gather(*[client(n) for n in range(9)]) == [list(range(50))] * 9


async def test_a_call_that_does_not_belong_in_a_bundle_is_made_by_itself(
    bundler: Bundler, door: Door
) -> None:
    first, second = await asyncio.gather(
        bundler.post_json("/alone", body(1)), bundler.post_json("/b", body(2))
    )
    assert (first.status, second.status) == (202, 201)
    assert door.alone == [body(1)]


async def test_long_and_many_lined_bodies_go_alone(bundler: Bundler, door: Door) -> None:
    unfit = [b'"' + b"x" * bundles.MOST_BYTES + b'"', b"{\n}"]
    answers = await asyncio.gather(*[bundler.post_json("/call", content) for content in unfit])
    assert [answer.body for answer in answers] == unfit
    assert door.bundles == []


async def test_a_slow_call_keeps_neither_its_neighbours_nor_the_next_ones_waiting(
    bundler: Bundler, door: Door
) -> None:
    slow = asyncio.create_task(bundler.post_json("/slow", body(0)))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await bundler.post_json("/call", body(1))).status == 201
        for n in range(2, 5):
            assert (await bundler.post_json("/call", body(n))).body == body(n)
    assert not slow.done()
    door.slow.set()
    assert (await slow).body == body(0)


class Held:
    """A client whose bundles are answered together when the test says so.

    :ivar events: what was sent, and whose answers are worked on
    """

    max_answer_bytes = 1000

    def __init__(self) -> None:
        self.events: list[str] = []
        self.sent = asyncio.Event()
        self.answered = asyncio.Event()
        self._bundler = Bundler(cast(ServiceClient, self), "/bundle")

    async def stream(
        self, _path: str, body: bytes, _kind: str, arrived: Callable[[bytes], None]
    ) -> RawAnswer:
        calls = read_calls(body)
        self.events.append(f"sent {calls[0].path}")
        self.sent.set()
        await self.answered.wait()
        arrived(b"".join([write_answer(call.number, 200, None, b"{}") for call in calls]))
        return RawAnswer(200, b"", {})

    def ask(self, path: str, calls: int) -> list[asyncio.Task[None]]:
        """Make so many calls."""
        return [asyncio.create_task(self._work(path)) for _ in range(calls)]

    async def _work(self, path: str) -> None:
        await self._bundler.post_json(path, b"{}")
        self.events.append(f"works on {path}")


async def test_the_next_bundle_sets_out_before_anybody_works_on_the_answers_of_the_one_before() -> None:
    client = Held()
    first = client.ask("/first", 2)
    await client.sent.wait()
    second = client.ask("/second", 2)
    await asyncio.sleep(0)
    client.answered.set()
    await asyncio.gather(*first, *second)
    assert client.events[:3] == ["sent /first", "sent /second", "works on /first"]


async def test_many_calls_do_not_wait_for_the_bundle_before() -> None:
    client = Held()
    first = client.ask("/first", 2)
    await client.sent.wait()
    client.sent.clear()
    second = client.ask("/second", 8)
    for _ in range(3):
        await asyncio.sleep(0)
    assert client.sent.is_set(), "it waits although nothing is answered"
    client.answered.set()
    await asyncio.gather(*first, *second)
    assert client.events[:2] == ["sent /first", "sent /second"]


async def test_without_a_whole_answer_the_outcome_is_unknown(bundler: Bundler, door: Door) -> None:
    door.cut = True
    outcomes = await asyncio.gather(
        *[bundler.post_json("/call", body(n)) for n in range(3)], return_exceptions=True
    )
    assert isinstance(outcomes[0], RemoteUnavailable)
    assert [outcome.status for outcome in outcomes[1:] if isinstance(outcome, RawAnswer)] == [201, 201]


async def test_a_refused_bundle_is_the_answer_to_each_call(bundler: Bundler, door: Door) -> None:
    door.status = 503
    answers = await asyncio.gather(*[bundler.post_json("/call", body(n)) for n in range(3)])
    assert [(answer.status, answer.headers["retry-after"]) for answer in answers] == [(503, "7")] * 3
    assert door.alone == [], "it may have been carried out"


@pytest.mark.parametrize("status", [400, 405, 413, 415])
async def test_calls_of_a_bundle_that_was_not_looked_into_are_made_alone(
    bundler: Bundler, door: Door, status: int
) -> None:
    door.status = status
    answers = await asyncio.gather(*[bundler.post_json("/call", body(n)) for n in range(3)])
    assert [answer.status for answer in answers] == [202] * 3


async def test_a_service_that_knows_no_bundles_is_asked_one_by_one(bundler: Bundler, door: Door) -> None:
    door.status = 404
    for _ in range(2):
        answers = await asyncio.gather(*[bundler.post_json("/call", body(n)) for n in range(3)])
        assert [answer.status for answer in answers] == [202] * 3
    door.status = 200
    await asyncio.gather(*[bundler.post_json("/call", body(n)) for n in range(3)])
    assert door.bundles == [], "it was asked again at once"


async def test_correlation_ids_go_along(bundler: Bundler, door: Door) -> None:
    async def served(number: int) -> None:
        logs.correlation_id.set(f"request-{number}" if number else None)
        await bundler.post_json("/call", body(number))

    await asyncio.gather(*[asyncio.create_task(served(n)) for n in range(3)])
    assert [call.correlation_id for call in door.bundles[0]] == [None, "request-1", "request-2"]


def test_calls_read_as_they_were_written() -> None:
    calls = [BundledCall(0, "/a", None, body(0)), BundledCall(1, "/b/c", "id-12345", b"{}")]
    assert read_calls(write_calls(calls)) == calls


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"0 /a -",
        b"x /a - {}",
        b"0 /a - {}\n\n1 /a - {}",
        b"0 /a - {}\n" * (bundles.MOST_CALLS + 1),
    ],
)
def test_what_is_no_bundle_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedBundle):
        read_calls(content)


@pytest.mark.parametrize("content", [b"0 200 -\n", b"a 200 - {}\n", b"0 ok - {}\n"])
def test_what_is_no_answer_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedBundle):
        AnswerReader().feed(content)


def test_an_answer_arrives_in_pieces_up_to_its_readers_limit() -> None:
    lines = b"".join([write_answer(number, 200, None, b'"' + b"x" * 100 + b'"') for number in range(3)])
    reader = AnswerReader(200)
    pieces = [lines[start : start + 7] for start in range(0, len(lines), 7)]
    assert [answer.number for piece in pieces for answer in reader.feed(piece)] == [0, 1, 2]


@pytest.mark.parametrize("piece", [7, 40, 1000])
def test_an_answer_that_is_too_long_takes_no_other_with_it(piece: int) -> None:
    sizes = [10, 200, 10, 300, 300, 10]
    lines = b"".join([write_answer(n, 200, None, b"x" * size) for n, size in enumerate(sizes)])
    reader = AnswerReader(50)
    found = [
        answer.number
        for start in range(0, len(lines), piece)
        for answer in reader.feed(lines[start : start + piece])
    ]
    assert found == ([0, 2, 5] if piece < 1000 else list(range(6))), "what arrives whole is there anyway"
