"""A running core on SQLite and on PostgreSQL, and a client of its API in this process.

Tests run on PostgreSQL, from ``TEST_POSTGRES_URL``. Those that are about the database, or about statements
that each dialect has its own of, ask for both: ``pytest.mark.dialects("sqlite", "postgresql")``; every call
of the API runs on both in ``conformance``. Each dialect is migrated once a session; every test starts with
empty tables.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from argon2 import PasswordHasher, Type
from fastapi import FastAPI
from sqlalchemy import text

from powerauth_contracts.enums import IntegrationKind
from powerauth_core import runtime
from powerauth_core.app import create_app
from powerauth_core.container import Core
from powerauth_core.kernel import hashing
from powerauth_core.migrations import SCRIPT_LOCATION
from powerauth_core.runtime import running_core
from powerauth_core.schema import metadata
from powerauth_core.settings import CoreSettings
from servicekit import migrations
from servicekit.database import Database, Dialect, normalised_url
from servicekit.serving import lifespan_of
from servicekit.testing import LastingDatabases, TemplateOf, lasting_databases, migrated_databases

# Test folders are no packages: what several of them share is imported from here.
sys.path.insert(0, str(Path(__file__).parent / "support"))

from core_test_api import (
    Api,
    MakeSettings,
    NewApplication,
    Serve,
    StartCore,
    TestApplication,
    client_of,
    create_test_application,
)
from core_test_audit import audit  # noqa: F401 fixture of several folders
from core_test_phones import (  # noqa: F401 fixtures of every folder
    activate,
    audited,
    change,
    init,
    make_device,
    make_phone,
    phone,
    run_out_of_time,
    stored,
)
from core_test_snapshots import Snapshots
from core_test_stores import ways  # noqa: F401 fixture of several folders

MASTER_KEY = "MTIzNDU2Nzg5MDEyMzQ1Ng=="


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test the databases that its closest mark ``dialects`` names."""
    if "dialect" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("dialects")
        dialects = mark.args if mark else ("postgresql",)
        metafunc.parametrize("dialect", dialects, indirect=True, scope="session")


@pytest.fixture(scope="session", autouse=True)
def _cheap_hashes() -> Iterator[None]:
    """The real cost of a hash of an OTP or PUK is nothing that tests are about, but for one."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, type=Type.I)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashing, "hash_password", hasher.hash)
        yield


@pytest.fixture(scope="session")
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """The database that the test runs on."""
    chosen: Dialect = request.param
    return chosen


@pytest_asyncio.fixture(scope="session")
async def template_of(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[TemplateOf]:
    """URL of a database of a dialect with the current schema, made once a session."""
    async with migrated_databases(_migrate, partial(tmp_path_factory.mktemp, "core")) as template:
        yield template


async def _migrate(url: str) -> None:
    await migrations.upgrade(url, SCRIPT_LOCATION)
    if normalised_url(url).get_backend_name() == "sqlite":
        await _fold_journal(url)


@pytest_asyncio.fixture(scope="session")
async def migrated(dialect: Dialect, template_of: TemplateOf) -> str:
    """URL of a database with the current schema, a template to copy."""
    return await template_of(dialect)


@pytest_asyncio.fixture(scope="session", autouse=True)
async def databases(
    template_of: TemplateOf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[LastingDatabases]:
    """The databases that tests have in turns, and what opens them for cores."""
    folder = partial(tmp_path_factory.mktemp, "lasting")
    async with lasting_databases(metadata, template_of, folder) as lasting:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runtime, "Database", lasting.open)
            yield lasting


@pytest_asyncio.fixture
async def database_url(dialect: Dialect, databases: LastingDatabases) -> str:
    """URL of a database with the current schema and empty tables."""
    return await databases.emptied(dialect)


@pytest.fixture(scope="session")
def known_settings() -> dict[str, CoreSettings]:
    """By what they were made from: to read the environment takes longer than many a test."""
    return {}


@pytest.fixture
def make_settings(database_url: str, known_settings: dict[str, CoreSettings]) -> MakeSettings:
    """Settings of a core on the test's database: ``make_settings(require_claim=True)``."""

    def make(**overrides: Any) -> CoreSettings:
        defaults: dict[str, Any] = {
            "environment": "test",
            "database_url": database_url,
            "migrate_on_start": False,
            "jobs_enabled": False,
            "request_log": False,
            "master_encryption_key": MASTER_KEY,
            "egress_allowed_networks": ["127.0.0.0/8", "::1/128"],
            "graceful_shutdown_seconds": 2,
        }
        given = defaults | overrides
        known = known_settings.get(repr(given))
        if known is None:
            known = known_settings[repr(given)] = CoreSettings(**given)
        return known.model_copy()

    return make


@pytest_asyncio.fixture
async def start_core(make_settings: MakeSettings) -> AsyncIterator[StartCore]:
    """Start one more core on the test's database: ``await start_core(restrict_access=False)``."""
    async with AsyncExitStack() as stack:

        async def start(**overrides: Any) -> Core:
            return await stack.enter_async_context(running_core(make_settings(**overrides)))

        yield start


@pytest_asyncio.fixture
async def core(make_settings: MakeSettings) -> AsyncIterator[Core]:
    """A running core with the default settings."""
    async with running_core(make_settings()) as running:
        yield running


@pytest.fixture(scope="session")
def shared_app() -> FastAPI:
    """The application of the default settings; a test puts its own core behind it."""
    return create_app(CoreSettings(environment="test", request_log=False))


@pytest.fixture
def app(shared_app: FastAPI, core: Core) -> FastAPI:
    """The core's HTTP application."""
    shared_app.state.core = core
    return shared_app


@pytest_asyncio.fixture
async def api(app: FastAPI, core: Core) -> AsyncIterator[Api]:
    """A client of ``/rest/v3`` with the credentials of an integration."""
    async with client_of(app, core, "/rest/v3", IntegrationKind.REST) as client:
        yield client


@pytest_asyncio.fixture
async def dmz(app: FastAPI, core: Core) -> AsyncIterator[Api]:
    """A client of ``/dmz/v1`` with the credentials of an integration."""
    async with client_of(app, core, "/dmz/v1", IntegrationKind.DMZ) as client:
        yield client


@pytest_asyncio.fixture
async def serve(make_settings: MakeSettings) -> AsyncIterator[Serve]:
    """A client of a core of its own with other settings: ``await serve(restrict_access=False)``."""
    async with AsyncExitStack() as stack:

        async def start(**overrides: Any) -> Api:
            app = create_app(make_settings(**overrides))
            await stack.enter_async_context(lifespan_of(app))
            return await stack.enter_async_context(
                client_of(app, app.state.core, "/rest/v3", IntegrationKind.REST)
            )

        yield start


@pytest.fixture(scope="session")
def snapshots() -> Snapshots:
    """Rows of what many tests begin with."""
    return Snapshots()


@pytest_asyncio.fixture
async def application(api: Api, core: Core, snapshots: Snapshots) -> TestApplication:
    """An application in the core."""
    return await snapshots.made(core, "application", lambda: create_test_application(api, "test-application"))


@pytest.fixture
def new_application(api: Api) -> NewApplication:
    """Create one more application: ``await new_application("other")``."""

    async def create(application_id: str) -> TestApplication:
        return await create_test_application(api, application_id)

    return create


async def _fold_journal(url: str) -> None:
    """Make an SQLite file complete by itself, so that it can be copied."""
    database = Database(url)
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    await database.dispose()
