"""A service that all cases share: every case has an application of its own in it."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent / "support"))

from push_client import Client, Service, settings_of
from push_fake_core import FakeCore
from push_fake_providers import FakeProviders
from push_world import World

from powerauth_push.app import build, create_app
from powerauth_push.callers import service as callers
from powerauth_push.callers.rules import EVERYTHING
from powerauth_push.migrations import SCRIPT_LOCATION
from servicekit import migrations
from servicekit.calls.client import AsgiTransport
from servicekit.testing import fresh_database


@pytest_asyncio.fixture(scope="session")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[Service, Client]]:
    """The service and a caller that may do everything."""
    async with fresh_database("sqlite", tmp_path_factory.mktemp("conformance")) as url:
        await migrations.upgrade(url, SCRIPT_LOCATION)
        settings = settings_of(url, registration_multiple_activations_enabled=True)
        core, providers = FakeCore(), FakeProviders()
        app = create_app(settings, core_transport=AsgiTransport(core), factory=providers)
        app.state.push = build(settings, AsgiTransport(core), providers)
        made = await callers.create(app.state.push.database, "cloud", EVERYTHING)
        assert made is not None
        client = Client(app, (made.client_token, made.client_secret))
        yield Service(app, app.state.push, core, providers), client
        await app.state.push.dispatcher.stop()
        await app.state.push.database.dispose()


@pytest.fixture
def world(shared: tuple[Service, Client]) -> World:
    """A new application, and everything that a case names."""
    return World(*shared)
