"""The sender against a server that does wrong what the protocol allows (spec/push-api.md §10.6, §28.2).

Every request ends, and none is done twice unless nobody could know.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from fake_senders import Echo, Sender, answered, eventually, numbered

from powerauth_cli.fakes.authority import Authority
from powerauth_cli.fakes.http1 import Http1Server
from powerauth_cli.fakes.http2 import Http2Server
from powerauth_cli.fakes.proxy import ConnectProxy
from powerauth_cli.fakes.wire import Fault
from powerauth_push.providers.http2 import sender as pauses
from powerauth_push.providers.http2.exchange import Answer, NoAnswer, Overdue, Unanswered, Unsent
from powerauth_push.providers.network import Proxy
from servicekit.testing import PATIENCE_SECONDS

MANY = numbered(200)
ONCE = Counter(MANY)


@pytest.mark.parametrize("first", [None, 1])
@pytest.mark.parametrize("streams", [1, 7, 1000])
async def test_no_more_at_a_time_than_the_server_allows(
    server: Http2Server, sender: Sender, echo: Echo, streams: int, first: int | None
) -> None:
    server.manners.streams, server.manners.first_streams = streams, first
    assert answered(await sender.send_all(MANY)) == MANY
    assert echo.bodies == ONCE
    assert server.seen.most_at_a_time <= streams
    assert server.seen.connections <= 2
    assert server.seen.broken == []


async def test_connections_last(server: Http2Server, sender: Sender) -> None:
    for _ in range(3):
        await sender.send_all(numbered(20))
    assert server.seen.connections == 1


@pytest.mark.parametrize(
    "fault", [Fault.REFUSE, Fault.GOAWAY, Fault.GOAWAY_DONE, Fault.EMPTY_DATA, Fault.NO_ID, Fault.SLOW]
)
async def test_what_the_server_has_not_worked_on_is_sent_again_and_nothing_else(
    server: Http2Server, sender: Sender, echo: Echo, fault: Fault
) -> None:
    server.faults.slow_seconds = 0.01
    server.faults.plan(*[None] * 20, fault, *[None] * 20, fault)
    assert answered(await sender.send_all(MANY)) == MANY
    assert echo.bodies == ONCE


async def test_connections_of_a_few_requests_each(server: Http2Server, sender: Sender, echo: Echo) -> None:
    server.manners.most_requests = 20
    assert answered(await sender.send_all(MANY)) == MANY
    assert echo.bodies == ONCE
    assert server.seen.connections >= 10


async def test_goodbye_while_answers_are_slow(server: Http2Server, sender: Sender, echo: Echo) -> None:
    server.faults.slow_seconds = 0.1
    server.faults.plan(*[Fault.SLOW] * 10)
    sending = asyncio.create_task(sender.send_all(numbered(10)))
    await eventually(lambda: len(echo.bodies) == 10)
    server.goodbye()
    assert answered(await sending) == numbered(10), "streams below the last one still get their answer"
    assert answered([await sender.send(b"after")]) == [b"after"]
    assert server.seen.connections == 2


@pytest.mark.parametrize(
    ("fault", "uncertain"),
    [
        (Fault.RESET, 1),
        (Fault.RESET_DONE, 1),
        (Fault.HUGE, 1),
        (Fault.DROP, None),
        (Fault.DROP_DONE, None),
    ],
)
async def test_what_may_have_been_done_is_told_and_not_repeated(
    server: Http2Server, sender: Sender, echo: Echo, fault: Fault, uncertain: int | None
) -> None:
    await sender.send(b"warm")
    server.faults.plan(*[None] * 30, fault)
    results = await sender.send_all(MANY)
    lost = [result for result in results if isinstance(result, NoAnswer)]
    assert all(isinstance(failure, Unanswered) for failure in lost)
    assert len(lost) == uncertain or (uncertain is None and lost)
    assert max(echo.bodies.values()) == 1
    assert set(answered(results)) <= set(echo.bodies)
    assert answered([await sender.send(b"after")]) == [b"after"]


async def test_a_request_without_answer_ends_in_time_and_disturbs_no_other(
    server: Http2Server, authority: Authority
) -> None:
    sender = Sender(server.port, authority.ca_file, send_seconds=0.3)
    await sender.warm()
    server.faults.plan(Fault.HANG)
    assert isinstance(await sender.outcome(b"x"), Overdue)
    await eventually(lambda: server.seen.cancelled == 1)
    await sender.warm()
    assert server.seen.connections == 1
    await sender.close()


async def test_a_connection_that_answers_nothing_is_given_up(
    server: Http2Server, authority: Authority
) -> None:
    sender = Sender(server.port, authority.ca_file, send_seconds=0.3)
    await sender.warm()
    server.faults.plan(*[Fault.HANG] * 5)
    assert {type(result) for result in await sender.send_all(numbered(5))} == {Overdue}
    await eventually(lambda: not server.connections)
    await sender.close()


async def test_bodies_wait_for_the_servers_window(server: Http2Server, sender: Sender, echo: Echo) -> None:
    server.manners.window, server.manners.reading = 1000, False
    bodies = numbered(60, 3000)
    sending = asyncio.create_task(sender.send_all(bodies))
    await eventually(lambda: bool(server.connections))
    await asyncio.sleep(0.05)
    assert not sending.done()
    server.read_on()
    assert answered(await sending) == bodies
    assert echo.bodies == Counter(bodies)


async def test_a_stall_ends_in_time_and_nothing_was_done(
    server: Http2Server, authority: Authority, echo: Echo
) -> None:
    server.manners.window, server.manners.reading = 1000, False
    sender = Sender(server.port, authority.ca_file, send_seconds=0.3)
    results = await sender.send_all(numbered(30, 3000))
    assert {type(result) for result in results} == {Unsent}
    assert not echo.bodies
    assert server.seen.most_at_a_time <= 1, "no others were begun that could only wait"
    server.manners.window, server.manners.reading = 65_535, True
    await eventually(lambda: not server.connections)
    await sender.close()


async def test_settings_that_change_under_way(server: Http2Server, sender: Sender, echo: Echo) -> None:
    server.manners.streams = 100
    await sender.send(b"warm")
    sending = asyncio.create_task(sender.send_all(numbered(400, 2000)))
    for size, streams in ((10, 3), (65_535, 50), (0, 1), (20_000, 20)):
        await asyncio.sleep(0.01)
        server.change_settings(initial_window_size=size, max_concurrent_streams=streams)
    assert answered(await sending) == numbered(400, 2000)
    assert max(echo.bodies.values()) == 1
    assert server.seen.broken == []


async def test_whoever_does_not_wait_any_more_takes_the_request_back(
    server: Http2Server, sender: Sender
) -> None:
    server.faults.plan(Fault.HANG)
    task = asyncio.create_task(sender.send(b"x"))
    await eventually(lambda: server.seen.requests == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await eventually(lambda: server.seen.cancelled == 1)
    assert isinstance(await sender.send(b"y"), Answer)


async def test_no_more_wait_than_the_route_says(server: Http2Server, authority: Authority) -> None:
    sender = Sender(server.port, authority.ca_file, queue=5)
    results = await sender.send_all(numbered(9))
    assert [type(result) for result in results] == [Answer] * 5 + [Unsent] * 4
    await sender.close()


async def test_closing_lets_what_is_under_way_end(server: Http2Server, sender: Sender) -> None:
    server.faults.slow_seconds = 0.05
    server.faults.plan(Fault.SLOW)
    task = asyncio.create_task(sender.outcome(b"x"))
    await eventually(lambda: server.seen.requests == 1)
    await sender.close(grace_seconds=PATIENCE_SECONDS)
    assert isinstance(await task, Answer)
    assert isinstance(await sender.outcome(b"y"), Unsent)
    await eventually(lambda: not server.connections)


async def test_a_dead_connection_is_found_by_its_silence(server: Http2Server, authority: Authority) -> None:
    sender = Sender(server.port, authority.ca_file, ping_seconds=0.1)
    await sender.send(b"x")
    await eventually(lambda: server.seen.pings >= 2)
    server.manners.pings = False
    await eventually(lambda: not server.connections)
    assert isinstance(await sender.send(b"y"), Answer)
    await sender.close()


async def test_a_server_that_is_away_is_not_asked_all_the_time(
    server: Http2Server, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "FIRST_PAUSE_SECONDS", pauses.LONGEST_PAUSE_SECONDS)
    sender = Sender(server.port, authority.ca_file)
    await server.stop()
    assert isinstance(await sender.outcome(b"x"), Unsent)
    await server.start()
    assert {str(await sender.outcome(b"y")) for _ in range(50)} == {"no connection"}
    assert server.seen.connections == 0
    await sender.close()


async def test_a_server_that_is_back_is_found(server: Http2Server, authority: Authority) -> None:
    sender = Sender(server.port, authority.ca_file)
    await sender.send(b"x")
    await server.stop()
    await eventually(lambda: not server.connections)
    assert isinstance(await sender.outcome(b"y"), Unsent)
    await server.start()
    await sender.warm()
    await sender.close()


async def test_a_server_that_never_speaks(server: Http2Server, authority: Authority) -> None:
    server.manners.silent = True
    sender = Sender(server.port, authority.ca_file, connect_seconds=0.2)
    failures = await sender.send_all(numbered(3))
    assert [str(failure) for failure in failures] == ["no connection in time"] * 3
    await eventually(lambda: not server.connections)
    await sender.close()


async def test_servers_that_are_not_to_be_spoken_to(
    server: Http2Server, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    sender = Sender(server.port, stranger.ca_file)
    assert str(await sender.outcome(b"x")) == "certificate not trusted"
    async with Http1Server(Echo(), authority.server_tls(["http/1.1"])) as old:
        sender = Sender(old.port, authority.ca_file)
        assert str(await sender.outcome(b"x")) in ("server speaks no HTTP/2", "TLS failed")


@pytest_asyncio.fixture
async def proxy() -> AsyncGenerator[ConnectProxy]:
    async with ConnectProxy("user", "pass:word") as running:
        yield running


async def test_through_a_proxy(
    server: Http2Server, authority: Authority, proxy: ConnectProxy, echo: Echo
) -> None:
    through = Proxy("127.0.0.1", proxy.port, "user", "pass:word")
    assert "word" not in repr(through)
    sender = Sender(server.port, authority.ca_file, proxy=through)
    assert answered(await sender.send_all(MANY)) == MANY
    assert set(proxy.connected) == {f"127.0.0.1:{server.port}"}
    await sender.close()


@pytest.mark.parametrize(("password", "status"), [("wrong", 407), ("pass:word", 502)])
async def test_a_proxy_that_refuses(
    server: Http2Server, authority: Authority, proxy: ConnectProxy, password: str, status: int
) -> None:
    proxy.refusing = status if status != 407 else None
    sender = Sender(server.port, authority.ca_file, proxy=Proxy("127.0.0.1", proxy.port, "user", password))
    assert str(await sender.outcome(b"x")) == f"proxy answers {status}"
    assert server.seen.connections == 0
    await sender.close()
