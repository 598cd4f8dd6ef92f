"""Where the core may connect (design §2): addresses are judged when the connection is made."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import threading
from collections.abc import AsyncGenerator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import httpcore2
import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from powerauth_core.kernel import egress as egress_module
from powerauth_core.kernel.egress import (
    AddressPolicy,
    AddressRefused,
    Egress,
    EgressRefused,
    NoAllowedAddress,
)
from powerauth_core.settings import CoreSettings
from servicekit.serving import BackgroundServer

PUBLIC = ["8.8.8.8", "2a00:1450:4014:80e::200e", "64:ff9b::808:808", "2002:808:808::1"]
PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "192.0.2.1",
    "240.0.0.1",
    "::1",
    "fd00::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
]
NEVER = [
    "169.254.169.254",
    "fe80::1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "224.0.0.1",
    "ff02::1",
    "0.0.0.0",
    "::",
]
EVERYTHING = [ip_network("0.0.0.0/0"), ip_network("::/0")]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert AddressPolicy().allows(ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_to_be_configured(address: str) -> None:
    assert not AddressPolicy().allows(ip_address(address))
    assert AddressPolicy(EVERYTHING).allows(ip_address(address))


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_allowed(address: str) -> None:
    assert not AddressPolicy(EVERYTHING).allows(ip_address(address))


def test_a_configured_network_allows_nothing_beside_it() -> None:
    policy = AddressPolicy([ip_network("10.20.0.0/16")])
    assert policy.allows(ip_address("10.20.255.1"))
    assert not policy.allows(ip_address("10.21.0.1"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bank.example",
        "/callback",
        "ftp://bank.example",
        "file:///etc/passwd",
        "http://",
        "https:///path",
        "http://user:secret@bank.example",
        "http://127.0.0.1",
        "http://[::1]:8080/x",
        "http://169.254.169.254/latest",
        "http://localhost:9000/x",
        "http://LOCALHOST./x",
        "http://bank.localhost/x",
        "http://127.1/x",
        "http://2130706433/x",
        "http://0x7f.1/x",
        "http://bank.example:99999",
        "http://[bad",
        "http://bank..example",
        "http://" + "b" * 64 + ".example",
        "http://" + "b." * 127,
        "javascript:alert(1)",
    ],
)
def test_urls_that_can_never_be_called_are_refused(url: str) -> None:
    with pytest.raises(EgressRefused):
        AddressPolicy().check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://bank.example",
        "https://bank.example:8443/a?b=c",
        "HTTPS://8.8.8.8/x",
        "http://7.example",
        "http://bank.example.",
    ],
)
def test_usable_urls_pass(url: str) -> None:
    AddressPolicy().check_url(url)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "[::1]", "bank.localhost"])
def test_this_machine_can_be_called_by_any_name_where_that_is_allowed(host: str) -> None:
    Egress(CoreSettings(egress_loopback_allowed=True)).policy.check_url(f"http://{host}:9000/x")
    with pytest.raises(AddressRefused, match="CORE_EGRESS_ALLOWED_NETWORKS"):
        Egress(CoreSettings()).policy.check_url(f"http://{host}:9000/x")


@pytest_asyncio.fixture(scope="module")
async def server() -> AsyncGenerator[BackgroundServer]:
    async def hello(_request: Request) -> Response:
        return PlainTextResponse("hello")

    async def redirect(_request: Request) -> Response:
        return RedirectResponse("/")

    async def cookies(request: Request) -> Response:
        answer = PlainTextResponse(request.headers.get("cookie", ""))
        answer.set_cookie("session", "one-bank")
        return answer

    routes = [
        Route("/", hello, methods=["GET", "POST"]),
        Route("/cookies", cookies),
        Route("/redirect", redirect, methods=["GET", "POST"]),
    ]
    async with BackgroundServer(Starlette(routes=routes)) as running:
        yield running


def egress(**settings: Any) -> Egress:
    return Egress(CoreSettings(environment="test", **settings))


async def test_an_allowed_network_is_reached(server: BackgroundServer) -> None:
    outgoing = egress(egress_allowed_networks=["127.0.0.0/8"])
    assert (await outgoing.http.get(server.url)).text == "hello"
    await outgoing.close()


async def test_a_refused_address_is_not_connected_to(server: BackgroundServer) -> None:
    outgoing = egress()
    with pytest.raises(httpx2.ConnectError):
        await outgoing.http.get(server.url)
    await outgoing.close()


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "127.1"])
async def test_a_name_that_leads_to_a_refused_address_is_not_connected_to(
    server: BackgroundServer, host: str
) -> None:
    outgoing = egress()
    with pytest.raises(httpx2.ConnectError, match="CORE_EGRESS_ALLOWED_NETWORKS") as refused:
        await outgoing.http.get(f"http://{host}:{server.port}/")
    assert isinstance(refused.value.__cause__, NoAllowedAddress), "what a failed delivery tells"
    await outgoing.close()


async def test_the_answer_that_was_judged_is_the_one_connected_to(
    server: BackgroundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers differently the second time gains nothing."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_options: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers.pop(0)]

    outgoing = egress(egress_allowed_networks=["127.0.0.0/8"])
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert (await outgoing.http.get(f"http://bank.example:{server.port}/")).text == "hello"
    assert asked == ["bank.example"]
    await outgoing.close()


async def test_refused_addresses_of_a_name_are_passed_over(
    server: BackgroundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def getaddrinfo(_host: str, port: int, **_options: Any) -> list[Any]:
        addresses = ["169.254.169.254", "127.0.0.1"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    outgoing = egress(egress_allowed_networks=["0.0.0.0/0"])
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert (await outgoing.http.get(f"http://bank.example:{server.port}/")).text == "hello"
    await outgoing.close()


async def test_an_unknown_name_is_a_connect_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_arguments: Any, **_options: Any) -> list[Any]:
        raise socket.gaierror

    outgoing = egress()
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(httpx2.ConnectError):
        await outgoing.http.get("http://bank.example/")
    await outgoing.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_redirects_are_not_followed(server: BackgroundServer, method: str) -> None:
    """Neither with what authenticates the call nor with a form that holds a secret (D29)."""
    outgoing = egress(egress_allowed_networks=["127.0.0.0/8"])
    for client in (outgoing.http, outgoing.client(ssl.create_default_context())):
        answer = await client.request(method, f"{server.url}/redirect", auth=("user", "secret"))
        assert (answer.status_code, answer.history) == (307, [])
        await client.aclose()


async def test_cookies_are_not_kept(server: BackgroundServer) -> None:
    """Calls for different applications share a client: nothing of one goes to the other, or fills memory."""
    outgoing = egress(egress_allowed_networks=["127.0.0.0/8"])
    for _ in range(2):
        assert (await outgoing.http.get(f"{server.url}/cookies")).text == ""
    assert not outgoing.http.cookies
    await outgoing.close()


def test_every_outgoing_client_is_made_here() -> None:
    """What holds for the clients of this module holds for every secret that leaves the core."""
    source = Path(egress_module.__file__).parent
    makers = {
        str(file.relative_to(source))
        for file in source.rglob("*.py")
        if re.search(
            r"\bAsyncClient\(|\bClientSession\(|\burlopen\(|\bhttpx2\.(get|post)\(", file.read_text()
        )
    }
    assert makers == {"egress.py"}


async def test_proxies_of_the_environment_are_ignored(
    server: BackgroundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    outgoing = egress(egress_allowed_networks=["127.0.0.0/8"])
    assert (await outgoing.http.get(server.url)).text == "hello"
    await outgoing.close()


async def test_a_configured_proxy_is_asked_instead() -> None:
    asked: list[tuple[str, str | None]] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        authorization = [line for line in head.splitlines() if line.lower().startswith("proxy-authorization")]
        asked.append((head.splitlines()[0], authorization[0] if authorization else None))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(proxy, "127.0.0.1", 0)
    outgoing = egress(
        http_proxy_enabled=True,
        http_proxy_port=listener.sockets[0].getsockname()[1],
        http_proxy_username="user",
        http_proxy_password="pass",
    )
    assert (await outgoing.http.get("http://bank.example/x")).text == "hi"
    assert asked == [("GET http://bank.example/x HTTP/1.1", "Proxy-Authorization: Basic dXNlcjpwYXNz")]
    await outgoing.close()
    listener.close()


async def test_a_connect_that_takes_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()

    def getaddrinfo(*_arguments: Any, **_options: Any) -> list[Any]:
        held.wait()
        return []

    outgoing = egress(http_connection_timeout_ms=1)
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        with pytest.raises(httpx2.ConnectTimeout):
            await outgoing.http.get("http://bank.example/")
    finally:
        held.set()
    await outgoing.close()


async def test_urls_are_not_logged(server: BackgroundServer, caplog: pytest.LogCaptureFixture) -> None:
    outgoing = egress(egress_allowed_networks=["127.0.0.0/8"])
    with caplog.at_level("INFO"):
        await outgoing.http.get(f"{server.url}/?token=hidden")
    assert "hidden" not in caplog.text
    await outgoing.close()


def test_the_transport_really_uses_the_guarded_backend() -> None:
    """The transport replaces its pool; a library that names it otherwise would open the gate."""
    transport: Any = egress().http._transport
    assert type(transport._pool) is httpcore2.AsyncConnectionPool
    assert type(transport._pool._network_backend).__name__ == "GuardedBackend"
