"""TLS of our ports and between our services: who is let in, and certificates that are renewed in use."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from yarl import URL

from servicekit import metrics
from servicekit.authority import Authority
from servicekit.calls.client import NetworkTransport, RemoteUnavailable, Timeouts
from servicekit.serving import BackgroundServer
from servicekit.settings import ServiceSettings
from servicekit.testing import PATIENCE_SECONDS
from servicekit.tls import contexts
from servicekit.tls.contexts import TlsFiles, calling_context, listening_context

MakeApp = Callable[..., FastAPI]
NOBODY: frozenset[str] = frozenset()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(autouse=True)
def _looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts, "_LOOK_SECONDS", 0.0)


@pytest.fixture
def app(make_app: MakeApp) -> FastAPI:
    router = APIRouter()

    @router.get("/who")
    async def who() -> str:
        return "me"

    return make_app(router)


def _serving(app: FastAPI, tls: ssl.SSLContext) -> BackgroundServer:
    return BackgroundServer(app, settings=ServiceSettings(tls_handshake_seconds=0.2), tls=tls)


async def _asked(server: BackgroundServer, transport: NetworkTransport) -> int:
    timeouts = Timeouts(PATIENCE_SECONDS, PATIENCE_SECONDS)
    url = URL(f"{server.url}/powerauth-test/who")
    return (await transport.send("GET", url, {}, None, timeouts)).status


async def _serial(server: BackgroundServer, trusting: ssl.SSLContext) -> Any:
    """The certificate that a new connection is shown."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusting)
    shown = writer.get_extra_info("peercert")["serialNumber"]
    writer.transport.abort()
    return shown


async def test_a_service_believes_who_has_a_certificate_of_its_authority(
    app: FastAPI, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other").issue("cloud", ["cloud.bank"])
    served, shown = authority.issue("core"), authority.issue("cloud", ["cloud.bank"])
    async with _serving(app, listening_context(served, NOBODY, "listener")) as server:
        ours = NetworkTransport(tls=calling_context(shown, "internal"))
        assert await _asked(server, ours) == 200
        for files in (
            TlsFiles(authorities=authority.ca_file),
            TlsFiles(stranger.certificate, stranger.key, authority.ca_file),
            stranger,
        ):
            with pytest.raises(RemoteUnavailable):
                await _asked(server, NetworkTransport(tls=calling_context(files, "internal")))
        assert await _asked(server, ours) == 200


@pytest.mark.parametrize(
    ("names", "let_in"),
    [
        (["cloud.bank"], True),
        (["spiffe://bank/cloud", "x.bank"], True),
        (["Cloud.Bank"], True),
        (["spiffe://Bank/cloud"], False),
        (["push.bank"], False),
        (["x.cloud.bank"], False),
        (["*.bank"], False),
        ([], False),
    ],
    ids=str,
)
async def test_only_names_that_are_let_in(
    app: FastAPI,
    authority: Authority,
    log_lines: Callable[[], list[dict[str, Any]]],
    names: list[str],
    let_in: bool,
) -> None:
    served, shown = authority.issue("core"), authority.issue("client", names)
    known = frozenset({"cloud.bank", "spiffe://bank/cloud"})
    async with _serving(app, listening_context(served, known, "listener")) as server:
        transport = NetworkTransport(tls=calling_context(shown, "internal"))
        if let_in:
            assert await _asked(server, transport) == 200
            return
        with pytest.raises(RemoteUnavailable):
            await _asked(server, transport)
    (told,) = (line for line in log_lines() if line["event"] == "client refused by its certificate")
    assert told["names"] == names


async def test_whose_certificate_is_looked_at_cannot_go_on_with_an_earlier_session(
    app: FastAPI, authority: Authority
) -> None:
    """TLS 1.2 would let a client come back whose certificate has expired."""
    shown = authority.issue("cloud")
    client = authority.trusting()
    shown.load_pair(client)
    async with _serving(app, listening_context(authority.issue("core"), NOBODY, "listener")) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=client)
        assert not writer.get_extra_info("ssl_object").session.has_ticket
        writer.transport.abort()
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", server.port, ssl=client)


async def test_a_slow_handshake_holds_up_nobody_and_ends(app: FastAPI, authority: Authority) -> None:
    async with _serving(app, listening_context(authority.issue("core"), NOBODY, "listener")) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        shown = calling_context(authority.issue("cloud"), "internal")
        assert await _asked(server, NetworkTransport(tls=shown)) == 200
        assert await reader.read() == b""
        writer.close()


async def test_old_versions_of_tls_are_refused(
    app: FastAPI, authority: Authority, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    files = authority.issue("core")
    served = TlsFiles(files.certificate, files.key)
    async with _serving(app, listening_context(served, NOBODY, "listener")) as server:
        old = authority.trusting()
        old.set_ciphers("DEFAULT@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.warns(DeprecationWarning, match="deprecated"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", server.port, ssl=old)
        (told,) = (line for line in log_lines() if line["event"] == "handshake failed")
        assert told["reason"] == "UNSUPPORTED_PROTOCOL"
        async with httpx2.AsyncClient(verify=authority.trusting(), timeout=PATIENCE_SECONDS) as client:
            assert (await client.get(f"{server.url}/powerauth-test/who")).json() == "me"


async def test_a_renewed_certificate_is_used_and_connections_go_on(
    app: FastAPI, authority: Authority, tmp_path: Path, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    """As Kubernetes renews: a link to a folder is swapped."""
    issued = authority.issue("core")
    link = _as_volume(tmp_path, issued, "one")
    served = TlsFiles(link / "tls.crt", link / "tls.key")
    trusting = authority.trusting()
    async with _serving(app, listening_context(served, NOBODY, "listener")) as server:
        kept = NetworkTransport(max_connections=1, tls=trusting)
        assert await _asked(server, kept) == 200
        first = await _serial(server, trusting)
        _as_volume(tmp_path, authority.issue("core"), "two")
        second = await _serial(server, trusting)
        assert first != second
        # Half of a third pair: the certificate is there, its key is not yet.
        third = authority.issue("core")
        assert third.certificate is not None
        shutil.copy(third.certificate, tmp_path / "two" / "tls.crt")
        assert await _serial(server, trusting) == second
        assert await _serial(server, trusting) == second
        assert third.key is not None
        shutil.copy(third.key, tmp_path / "two" / "tls.key")
        assert await _serial(server, trusting) not in (first, second)
        assert await _asked(server, kept) == 200
    told = [line["event"] for line in log_lines() if "certificate" in line["event"]]
    assert told == [
        "certificate renewed",
        "renewed certificate unusable, the old one goes on",
        "certificate renewed",
    ]


def _as_volume(folder: Path, files: TlsFiles, name: str) -> Path:
    assert files.certificate is not None
    assert files.key is not None
    (folder / name).mkdir()
    shutil.copy(files.certificate, folder / name / "tls.crt")
    shutil.copy(files.key, folder / name / "tls.key")
    new = folder / "..new"
    new.symlink_to(name)
    return new.replace(folder / "..data")


def test_the_time_left_is_a_metric_that_follows_the_files(authority: Authority) -> None:
    files = authority.issue("core", life=timedelta(hours=1))
    listening_context(files, NOBODY, "test")
    assert 3500 < _seconds_left("test") <= 3600
    authority.issue("core", life=timedelta(hours=-1))
    assert -3700 < _seconds_left("test") <= -3600


def _seconds_left(use: str) -> float:
    (value,) = (
        value
        for family in metrics.families()
        if family.name == "tls_certificate_expiry_seconds"
        for _, labels, value in family.samples
        if labels == {"use": use}
    )
    return value
