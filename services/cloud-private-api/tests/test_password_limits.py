"""What guesses of passwords cost, and whom they hold up (D28)."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Awaitable, Callable, Iterator

import httpx2
import pytest
from cloud_client import BASE, PASSWORD, Client, Service
from starlette.types import Message

from cloud_private_api import passwords
from cloud_private_api.auth.limits import FailureLimit
from cloud_private_api.auth.login import Login
from cloud_private_api.errors import TooManyRequests, Unauthorized
from servicekit.edge.middleware import MAX_AHEAD, PatientReceive

LIST = "/v2/registrations?userId=u"
HERE, THERE = "192.0.2.1", "198.51.100.1"


def _from(service: Service, address: str, username: str, password: str = PASSWORD) -> Client:
    client = service.client(username, password)
    transport = httpx2.ASGITransport(service.app, client=(address, 1))
    client.http = httpx2.AsyncClient(transport=transport, base_url=BASE, auth=client.http.auth)
    return client


async def _guess(service: Service, address: str, username: str, times: int) -> list[int]:
    client = _from(service, address, username, "wrong")
    return [(await client.send("GET", LIST)).status_code for _ in range(times)]


@pytest.mark.usefixtures("bank", "other_bank")
async def test_guesses_for_one_name_from_one_address_end_before_the_hash(service: Service) -> None:
    limit = service.cloud.settings.security_auth_basic_failures_per_name
    assert await _guess(service, HERE, "bank", limit + 3) == [401] * limit + [429] * 3
    response = await _from(service, HERE, "bank").send("GET", LIST)
    assert response.status_code == 429
    assert response.json()["responseObject"] == {"code": "HTTP_429", "message": "Too many requests"}
    assert 1 <= int(response.headers["retry-after"]) <= 60
    # Neither another user there nor the same user elsewhere is held up.
    await _from(service, HERE, "other").ok("GET", LIST)
    await _from(service, THERE, "bank").ok("GET", LIST)
    # Who was verified is not asked again, wherever it calls from.
    await _from(service, HERE, "bank").ok("GET", LIST)


async def test_guesses_from_one_address_end_before_the_hash(service: Service, bank: Client) -> None:
    limit = service.cloud.settings.security_auth_basic_failures_per_address
    names = [f"guess-{number}" for number in range(limit)] + ["bank"]
    seen = [(await _guess(service, HERE, name, 1))[0] for name in names]
    assert seen == [401] * limit + [429]
    await _from(service, THERE, "bank").ok("GET", LIST)


async def test_successes_are_never_too_many(start: Callable[..., Awaitable[Service]]) -> None:
    service = await start(security_auth_basic_cache_seconds=0, security_auth_basic_failures_per_address=3)
    bank = await service.user("bank")
    for _ in range(10):
        await bank.ok("GET", LIST)


async def test_address_is_the_clients_only_behind_a_trusted_proxy(
    start: Callable[..., Awaitable[Service]],
) -> None:
    service = await start(trusted_proxies="10.0.0.0/8", security_auth_basic_failures_per_name=1)
    await service.user("bank")
    for proxy, seen in (("10.1.1.1", [401, 401]), ("192.0.2.7", [401, 429])):
        client = _from(service, proxy, "bank", "wrong")
        answers = [
            await client.http.get(LIST, headers={"X-Forwarded-For": address}) for address in (HERE, THERE)
        ]
        assert [answer.status_code for answer in answers] == seen


def test_attempts_under_way_count_as_failures_and_failures_fade() -> None:
    now = [0.0]
    limit = FailureLimit(2, clock=lambda: now[0])
    for _ in range(2):
        limit.check("key")
        limit.start("key")
    with pytest.raises(TooManyRequests):
        limit.check("key")
    limit.end("key", failed=False)
    limit.check("key")
    limit.end("key", failed=True)
    limit.start("key")
    with pytest.raises(TooManyRequests) as refused:
        limit.check("key")
    assert refused.value.retry_after == 30
    now[0] += 30
    limit.check("key")
    limit.check("another key")


class _HeldHashes:
    """Hashes that are finished only when the test says so."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.started: list[str] = []

    def verify(self, _stored: str, password: str) -> bool:
        self.started.append(password)
        self.release.wait()
        return password == PASSWORD


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[_HeldHashes]:
    """Every thread is kept busy by the first hashes that come."""
    hashes = _HeldHashes()
    monkeypatch.setattr(passwords, "verify_now", hashes.verify)
    yield hashes
    hashes.release.set()


def _login(username: str, password: str, network: str, receive: Callable[[], Awaitable[Message]]) -> Login:
    header = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
    return Login(header, lambda: network, PatientReceive(receive))


async def _stays() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 queues and threads have no event
        await asyncio.sleep(0.001)


async def _busy(service: Service, held: _HeldHashes, guesses: int) -> list[asyncio.Task[object]]:
    """That many guesses for one name, from as many addresses; all threads are taken."""
    authenticate = service.cloud.authenticator.authenticate
    tasks: list[asyncio.Task[object]] = [
        asyncio.create_task(authenticate(_login("bank", "wrong", f"network-{number}", _stays)))
        for number in range(guesses)
    ]
    threads = service.cloud.passwords._threads
    await _until(lambda: len(held.started) + threads.waiting == guesses)
    return tasks


@pytest.mark.usefixtures("bank", "other_bank")
async def test_flood_of_guesses_for_one_name_waits_for_itself(service: Service, held: _HeldHashes) -> None:
    guesses = await _busy(service, held, 90)
    honest = asyncio.create_task(
        service.cloud.authenticator.authenticate(_login("other", PASSWORD, "bank", _stays))
    )
    threads = service.cloud.passwords._threads
    await _until(lambda: len(held.started) + threads.waiting == 91)
    held.release.set()
    assert (await honest).username == "other"
    # The honest caller had the next turn but one: all but a few of the guesses came after it.
    assert held.started.index(PASSWORD) <= passwords.HASHING_THREADS + 2
    refused = await asyncio.gather(*guesses, return_exceptions=True)
    assert all(isinstance(error, Unauthorized) for error in refused)


@pytest.mark.usefixtures("bank", "other_bank")
async def test_full_queue_refuses_the_name_with_most_guesses(service: Service, held: _HeldHashes) -> None:
    places = service.cloud.settings.security_auth_basic_waiting_hashes
    guesses = await _busy(service, held, places + passwords.HASHING_THREADS)
    authenticate = service.cloud.authenticator.authenticate
    with pytest.raises(TooManyRequests):
        await authenticate(_login("bank", "wrong", "one-more", _stays))
    honest = asyncio.create_task(authenticate(_login("other", PASSWORD, "bank", _stays)))
    await _until(lambda: any(task.done() for task in guesses))
    held.release.set()
    assert (await honest).username == "other"
    refused = await asyncio.gather(*guesses, return_exceptions=True)
    assert [type(error) for error in refused].count(TooManyRequests) == 1


@pytest.mark.usefixtures("bank")
async def test_waiting_hash_is_dropped_when_its_client_is_gone(service: Service, held: _HeldHashes) -> None:
    guesses = await _busy(service, held, passwords.HASHING_THREADS)
    gone = asyncio.Event()

    async def leaves() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    leaving = asyncio.create_task(
        service.cloud.authenticator.authenticate(_login("bank", "left", "leaving", leaves))
    )
    threads = service.cloud.passwords._threads
    await _until(lambda: threads.waiting == 1)
    gone.set()
    with pytest.raises(Unauthorized):
        await leaving
    await _until(lambda: threads.waiting == 0)
    held.release.set()
    await asyncio.gather(*guesses, return_exceptions=True)
    assert "left" not in held.started


async def test_body_that_came_early_is_still_there(service: Service) -> None:
    sent: list[Message] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.request", "body": b"}" + b" " * MAX_AHEAD, "more_body": False},
    ]
    given = list(sent)

    async def receive() -> Message:
        return given.pop(0)

    patient = PatientReceive(receive)
    watch = asyncio.create_task(patient.disconnected())
    await _until(lambda: not given)
    watch.cancel()
    assert [await patient(), await patient()] == sent
