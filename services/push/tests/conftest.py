"""Fixtures: the service on a database with empty tables, with a scripted core in the same process.

Tests run on SQLite. Those that are about the database ask for both dialects:
``pytestmark = pytest.mark.parametrize("dialect", DIALECTS, indirect=True)``.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from fastapi import FastAPI

sys.path.insert(0, str(Path(__file__).parent / "support"))

from push_client import Client, Service, settings_of
from push_fake_core import FakeCore
from push_fake_providers import FakeProviders

from powerauth_push import app
from powerauth_push.app import build, create_app
from powerauth_push.migrations import SCRIPT_LOCATION
from powerauth_push.tables import METADATA
from servicekit import migrations
from servicekit.calls.client import AsgiTransport
from servicekit.database import Dialect
from servicekit.testing import LastingDatabases, TemplateOf, lasting_databases, migrated_databases


@pytest.fixture
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """SQLite, unless the test is parametrised."""
    chosen: Dialect = getattr(request, "param", "sqlite")
    return chosen


@pytest_asyncio.fixture(scope="session")
async def migrated(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[TemplateOf]:
    """A migrated database of each dialect, to be copied."""
    migrate = partial(migrations.upgrade, script_location=SCRIPT_LOCATION)
    async with migrated_databases(migrate, partial(tmp_path_factory.mktemp, "template")) as template_of:
        yield template_of


@pytest_asyncio.fixture(scope="session", autouse=True)
async def databases(
    migrated: TemplateOf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[LastingDatabases]:
    """The databases that tests have in turns, and what opens them for services."""
    folder = partial(tmp_path_factory.mktemp, "lasting")
    async with lasting_databases(METADATA, migrated, folder) as lasting:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(app, "Database", lasting.open)
            yield lasting


@pytest_asyncio.fixture
async def database_url(dialect: Dialect, databases: LastingDatabases) -> str:
    """A database with the service's tables, which are empty."""
    return await databases.emptied(dialect)


@pytest.fixture
def core() -> FakeCore:
    """A fresh core."""
    return FakeCore()


@pytest.fixture
def providers() -> FakeProviders:
    """Fresh providers."""
    return FakeProviders()


@pytest.fixture(scope="session")
def shared_app() -> FastAPI:
    """The application without its parts: making one takes longer than most tests."""
    return create_app(settings_of("sqlite://"))


@pytest_asyncio.fixture
async def service(
    core: FakeCore, providers: FakeProviders, database_url: str, shared_app: FastAPI
) -> AsyncGenerator[Service]:
    """The service with default settings; nothing runs beside the requests."""
    push = build(settings_of(database_url), AsgiTransport(core), providers)
    shared_app.state.push = push
    yield Service(shared_app, push, core, providers)
    await push.dispatcher.stop()
    await push.senders.close()
    await push.database.dispose()


@pytest_asyncio.fixture
async def cloud(service: Service) -> Client:
    """A caller that may do what the cloud service may."""
    return await service.caller("cloud")
