"""Fake providers on this machine, and what is sent to them."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.append(str(Path(__file__).parent / "support"))

from fake_senders import Bank, Echo, Sender, bank_of

from powerauth_cli.fakes.authority import Authority
from powerauth_cli.fakes.http2 import Http2Server
from powerauth_cli.fakes.stack import FakeProviders, fake_providers


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest_asyncio.fixture
async def server(echo: Echo, authority: Authority) -> AsyncGenerator[Http2Server]:
    async with Http2Server(echo, authority.server_tls(["h2"])) as running:
        yield running


@pytest_asyncio.fixture
async def sender(server: Http2Server, authority: Authority) -> AsyncGenerator[Sender]:
    made = Sender(server.port, authority.ca_file)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def fakes() -> AsyncGenerator[FakeProviders]:
    async with fake_providers() as running:
        yield running


@pytest_asyncio.fixture
async def bank(fakes: FakeProviders) -> AsyncGenerator[Bank]:
    made = bank_of(fakes)
    yield made
    await made.close()
