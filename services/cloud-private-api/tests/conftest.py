"""Fixtures: the service on a database with empty tables, with a scripted core in the same process.

Tests run on SQLite. Those that are about the database ask for both dialects:
``pytestmark = pytest.mark.parametrize("dialect", DIALECTS, indirect=True)``.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from fastapi import FastAPI

sys.path.insert(0, str(Path(__file__).parent / "support"))

from cloud_client import Client, Service, Start, settings_of, with_push
from cloud_fake_core import FakeCore
from cloud_fake_push import FakePush

from cloud_private_api import app, passwords
from cloud_private_api.app import MIGRATIONS, build, create_app
from cloud_private_api.tables import METADATA
from servicekit import migrations
from servicekit.bus import Bus
from servicekit.calls.client import AsgiTransport, Transport
from servicekit.database import Dialect
from servicekit.logs import configure_logging
from servicekit.serving import lifespan_of
from servicekit.testing import LastingDatabases, TemplateOf, lasting_databases, migrated_databases


@pytest.fixture(scope="session", autouse=True)
def _cheap_hashes() -> Iterator[None]:
    """The real cost of a password hash is nothing that tests are about."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """JSON lines: without a configuration, tracebacks would be drawn with all their variables."""
    configure_logging("powerauth-cloud", "WARNING")


@pytest.fixture
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """SQLite, unless the test is parametrised."""
    chosen: Dialect = getattr(request, "param", "sqlite")
    return chosen


@pytest_asyncio.fixture(scope="session")
async def migrated(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[TemplateOf]:
    """A migrated database of each dialect, to be copied."""
    migrate = partial(migrations.upgrade, script_location=MIGRATIONS)
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
def push() -> FakePush:
    """A fresh push service."""
    return FakePush()


@pytest_asyncio.fixture
async def start(core: FakeCore, push: FakePush, database_url: str) -> AsyncGenerator[Start]:
    """Start a service with some settings changed, with all that runs beside the requests."""
    async with AsyncExitStack() as stack:

        async def _start(
            bus: Bus | None = None, transport: Transport | None = None, **changed: Any
        ) -> Service:
            settings = settings_of(database_url, **changed)
            doors = {
                "core_transport": transport or AsgiTransport(core),
                "push_transport": AsgiTransport(push),
            }
            app = create_app(settings, **doors, bus=bus)
            await stack.enter_async_context(lifespan_of(app))
            return Service(app, app.state.cloud, core)

        yield _start


@pytest.fixture(scope="session")
def shared_app() -> FastAPI:
    """The application without its parts: making one takes longer than most tests."""
    return create_app(settings_of("sqlite://"))


@pytest_asyncio.fixture
async def service(core: FakeCore, database_url: str, shared_app: FastAPI) -> AsyncGenerator[Service]:
    """The service with default settings; nothing runs beside the requests."""
    cloud = build(settings_of(database_url), AsgiTransport(core))
    shared_app.state.cloud = cloud
    yield Service(shared_app, cloud, core)
    cloud.passwords.close()
    await cloud.database.dispose()


@pytest_asyncio.fixture
async def pushing(
    core: FakeCore, push: FakePush, database_url: str, shared_app: FastAPI
) -> AsyncGenerator[Service]:
    """The same with a push service; what is to be sent stays in the outbox until a test sends it."""
    settings = settings_of(database_url, **with_push())
    cloud = build(settings, AsgiTransport(core), AsgiTransport(push))
    shared_app.state.cloud = cloud
    yield Service(shared_app, cloud, core)
    cloud.passwords.close()
    await cloud.database.dispose()


@pytest_asyncio.fixture
async def bank(service: Service) -> Client:
    """A bank backend: ``ROLE_USER``, application ``app-a``."""
    return await service.user("bank", ["app-a"])


@pytest_asyncio.fixture
async def other_bank(service: Service) -> Client:
    """Another bank's backend, with application ``app-b``."""
    return await service.user("other", ["app-b"])


@pytest_asyncio.fixture
async def admin(service: Service) -> Client:
    """An administrator without applications."""
    return await service.user("admin", roles=["ROLE_ADMIN"])
