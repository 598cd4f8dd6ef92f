"""Receivers that hang, and those that must not notice (spec/core-api.md §18.5, §18.6, D28).

The hanging servers are real ones on localhost; they are still held when the others have been told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from core_test_api import Api, NewApplication, StartCore, TestApplication
from core_test_changes import report
from core_test_rows import execute, found
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from powerauth_core.callbacks.models import CallbackUrlEvent
from powerauth_core.callbacks.shares import FairSlots, Flow, Shares
from powerauth_core.container import Core
from servicekit.testing import PATIENCE_SECONDS

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

APPLICATION = "test-application"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


class Server:
    """Reads requests and answers with some bytes, all at once or so many times the last one; or never."""

    def __init__(self, answer: bytes = b"", drip: bytes = b"") -> None:
        self._answer = answer
        self._drip = drip
        self._release = asyncio.Event()
        self.requests = 0
        self.url = ""
        self._changed = asyncio.Event()

    async def serve(self, stack: AsyncExitStack) -> Server:
        """Listen until the end of the test."""
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        stack.callback(listener.close)
        stack.callback(self._release.set)
        self.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        return self

    async def has(self, requests: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.requests < requests:
                self._changed.clear()
                await self._changed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            self.requests += 1
            self._changed.set()
            writer.write(self._answer)
            while self._drip and not self._release.is_set():
                writer.write(self._drip)
                await writer.drain()
                await asyncio.sleep(0.01)
            if not self._answer.endswith(b"ok"):
                await self._release.wait()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the caller went away
        finally:
            writer.close()


Serve = Callable[..., Awaitable[Server]]
Configure = Callable[..., Awaitable[None]]


@pytest_asyncio.fixture
async def serve() -> AsyncGenerator[Serve]:
    """Start a server that hangs, or one with the given answer."""
    async with AsyncExitStack() as stack:

        async def start(answer: bytes = b"", drip: bytes = b"") -> Server:
            return await Server(answer, drip).serve(stack)

        yield start


@pytest.fixture
def configure(api: Api, application: TestApplication) -> Configure:
    """A callback of an application to a server."""

    async def create(server: Server, application_id: str = APPLICATION, **changes: Any) -> None:
        fields = {
            "applicationId": application_id,
            "name": "callback",
            "type": "ACTIVATION_STATUS_CHANGE",
            "callbackUrl": f"{server.url}/callback",
        }
        await api.ok("application/callback/create", **fields | changes)

    return create


async def change(core: Core, application_id: str = APPLICATION, times: int = 1) -> None:
    """Changes of as many activations."""
    for number in range(times):
        await report(core, activation_id=f"a-{number}", application_id=application_id)


async def statuses(core: Core) -> list[str]:
    return await found(core, select(CallbackUrlEvent.status))


async def test_hanging_callbacks_delay_neither_other_applications_nor_other_targets(
    start_core: StartCore, configure: Configure, serve: Serve, new_application: NewApplication
) -> None:
    core = await start_core(callbacks_concurrency=32, callbacks_queue_capacity=40)
    hanging = [await serve() for _ in range(3)]
    for server in hanging:
        await configure(server)
    await change(core, times=60)
    for server in hanging:
        await server.has(1)
    same, other = await serve(OK + b"ok"), await serve(OK + b"ok")
    await configure(same)
    await new_application("other")
    await configure(other, "other")
    await change(core, "other", times=2)
    await change(core)
    await other.has(2)
    await same.has(1)
    # Everything that hangs is still held, about a third of the slots.
    assert 3 <= sum(server.requests for server in hanging) <= 11
    assert "FAILED" not in await statuses(core)


async def test_one_hanging_target_is_one_whatever_applications_call_it(
    start_core: StartCore, configure: Configure, serve: Serve, new_application: NewApplication
) -> None:
    core = await start_core(callbacks_concurrency=4)
    hanging, fast = await serve(), await serve(OK + b"ok")
    for number in range(4):
        await new_application(f"app-{number}")
        await configure(hanging, f"app-{number}")
        await change(core, f"app-{number}", times=3)
    await hanging.has(2)
    await configure(fast)
    await change(core)
    await fast.has(1)
    assert hanging.requests <= 3


async def test_backlog_of_a_hanging_callback_leaves_room_for_others(
    start_core: StartCore, configure: Configure, serve: Serve, new_application: NewApplication
) -> None:
    core = await start_core(callbacks_concurrency=8, callbacks_pending_dispatch_limit=8)
    off = await start_core(callbacks_concurrency=1, callbacks_queue_capacity=0)
    hanging, fast = await serve(), await serve(OK + b"ok")
    await new_application("other")
    await configure(fast, "other", maxAttempts=2)
    await configure(hanging, maxAttempts=2)
    off.callbacks._stopping = True  # puts back everything that it is given
    await change(off, "other")
    await change(off, times=30)
    await off.callbacks.idle()
    await execute(
        core, update(CallbackUrlEvent).values(timestamp_next_call=CallbackUrlEvent.timestamp_created)
    )
    await core.callbacks.dispatch_pending()
    await fast.has(1)
    assert hanging.requests <= 4


@pytest.mark.parametrize(
    ("answer", "drip", "status"),
    [
        pytest.param(b"", b"", "FAILED", id="no answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x", "FAILED", id="head drips"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x", "COMPLETED", id="body drips"),
        pytest.param(OK, b"", "COMPLETED", id="body never comes"),
        pytest.param(OK + b"ok", b"", "COMPLETED", id="whole"),
    ],
)
async def test_attempt_ends_in_time_whatever_drips(
    start_core: StartCore, configure: Configure, serve: Serve, answer: bytes, drip: bytes, status: str
) -> None:
    core = await start_core(http_response_timeout_ms=200, http_connection_timeout_ms=100)
    server = await serve(answer, drip)
    await configure(server)
    await change(core)
    await core.callbacks.idle()
    assert (server.requests, await statuses(core)) == (1, [status])


async def test_waiting_for_a_token_is_part_of_the_attempt(
    start_core: StartCore, configure: Configure, serve: Serve
) -> None:
    core = await start_core(http_response_timeout_ms=200, http_connection_timeout_ms=100)
    token, server = await serve(), await serve(OK + b"ok")
    oauth2 = {"enabled": True, "tokenUri": f"{token.url}/token", "clientId": "id", "clientSecret": "secret"}
    await configure(server, authentication={"oauth2": oauth2})
    await change(core)
    await core.callbacks.idle()
    assert (token.requests, server.requests, await statuses(core)) == (1, 0, ["FAILED"])
    [entry] = core.callbacks.clients._entries.values()
    async with entry.client._token_turn:  # another delivery asks for the token, and gets no answer
        await change(core, times=3)
        await core.callbacks.idle()
    assert (token.requests, await statuses(core)) == (1, ["FAILED"] * 4)


async def test_what_waited_when_the_circuit_opened_is_not_tried(
    start_core: StartCore, configure: Configure, serve: Serve
) -> None:
    core = await start_core(
        callbacks_concurrency=1,
        callbacks_failure_threshold=2,
        callbacks_failure_reset_timeout_ms=3_600_000,
        http_response_timeout_ms=200,
        http_connection_timeout_ms=100,
    )
    hanging = await serve()
    await configure(hanging)
    await change(core, times=5)
    await core.callbacks.idle()
    assert (hanging.requests, await statuses(core)) == (2, ["FAILED"] * 5)


FLOWS = st.builds(Flow, st.integers(1, 4), st.sampled_from("abcd"))


@given(st.integers(1, 20), st.lists(FLOWS, max_size=60))
def test_who_holds_nothing_is_given_a_share_while_any_is_free(size: int, wanted: list[Flow]) -> None:
    shares = Shares(size)
    for flow in wanted:
        if shares.allows(flow):
            shares.take(flow)
    assert shares.free >= 0
    assert shares.free == 0 or shares.allows(Flow(99, "new"))
    # One alone is never everything, unless there is only one.
    applications = {flow.application for flow in wanted}
    assert size == 1 or len(applications) != 1 or shares.free > 0


async def test_slots_are_handed_to_who_holds_least_and_come_back_from_who_left() -> None:
    slots = FairSlots(2)
    order: list[str] = []
    go = {name: asyncio.Event() for name in ("a1", "a2", "a3", "b1")}

    async def work(name: str) -> None:
        async with slots.slot(Flow(ord(name[0]), name[0])):
            order.append(name)
            await go[name].wait()

    tasks = {name: asyncio.create_task(work(name)) for name in go}
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert order == ["a1", "b1"]
    tasks["a2"].cancel()
    go["a1"].set()
    await asyncio.gather(tasks["a1"], tasks["a2"], return_exceptions=True)
    for event in go.values():
        event.set()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert order == ["a1", "b1", "a3"]
    async with asyncio.timeout(PATIENCE_SECONDS), slots.slot(Flow(1, "x")), slots.slot(Flow(2, "y")):
        pass


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://Bank.example/a?b", "https://bank.example:none"),
        ("https://bank.example:8443/other", "https://bank.example:8443"),
        ("https://user@[::1]:1/", "https://::1:1"),
        ("https://bank.example:port/", "https://bank.example:port/"),
    ],
)
def test_target_is_where_the_connection_goes(url: str, target: str) -> None:
    assert Flow.to(1, url) == Flow(1, target)
