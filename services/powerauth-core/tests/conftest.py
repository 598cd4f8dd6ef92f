"""A running core on SQLite and on PostgreSQL, and a client of its API in this process.

Tests run on PostgreSQL, from ``TEST_POSTGRES_URL``. Those that are about the database, or about statements
that each dialect has its own of, ask for both: ``pytest.mark.dialects("sqlite", "postgresql")``; every call
of the API runs on both in ``conformance``. Each dialect is migrated once a session; every test starts with
empty tables.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import text

from powerauth_contracts.enums import IntegrationKind
from powerauth_core.app import create_app
from powerauth_core.container import Core
from powerauth_core.integrations.service import ensure_integration
from powerauth_core.migrations import SCRIPT_LOCATION
from powerauth_core.runtime import running_core
from powerauth_core.schema import metadata, pa_schema_history
from powerauth_core.settings import CoreSettings
from powerauth_sdk.config import App
from servicekit import migrations
from servicekit.database import Database, Dialect
from servicekit.serving import lifespan_of
from servicekit.testing import fresh_database

# Test folders are no packages: what several of them share is imported from here.
sys.path.insert(0, str(Path(__file__).parent / "support"))

from core_test_audit import audit  # noqa: F401 fixture of several folders
from core_test_phones import (  # noqa: F401 fixtures of every folder
    activate,
    audited,
    call,
    change,
    init,
    make_device,
    make_phone,
    phone,
    run_out_of_time,
    stored,
)
from core_test_stores import ways  # noqa: F401 fixture of several folders

ROOT = "/powerauth-java-server"
MASTER_KEY = "MTIzNDU2Nzg5MDEyMzQ1Ng=="

MakeSettings = Callable[..., CoreSettings]
StartCore = Callable[..., Awaitable[Core]]
TemplateOf = Callable[[Dialect], Awaitable[str]]


class Api:
    """A client of one door: ``status, body = await api.post("application/create", applicationId="a")``."""

    def __init__(self, app: FastAPI, door: str, credentials: tuple[str, str] | None) -> None:
        self._http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url=f"http://core{ROOT}", auth=credentials
        )
        self._door = door

    async def post(self, path: str, /, **request_object: Any) -> tuple[int, dict[str, Any]]:
        """Call with a request object; status and decoded body."""
        response = await self.send(path, json.dumps({"requestObject": request_object}).encode())
        return response.status_code, response.json()

    async def ok(self, path: str, /, **request_object: Any) -> Any:
        """Call, expect success, return the response object."""
        status, body = await self.post(path, **request_object)
        assert (status, body["status"]) == (200, "OK"), body
        return body.get("responseObject")

    async def error(self, path: str, /, **request_object: Any) -> str:
        """Call, expect a refusal by the core, return its code."""
        status, body = await self.post(path, **request_object)
        assert (status, body["status"]) == (400, "ERROR"), body
        code: str = body["responseObject"]["code"]
        return code

    async def send(
        self, path: str, content: bytes, *, method: str = "POST", **headers: str
    ) -> httpx2.Response:
        """Call with these bytes; ``path`` is relative to the door, or absolute inside the context path."""
        url = path if path.startswith("/") else f"{self._door}/{path}"
        return await self._http.request(
            method, url, content=content, headers={"Content-Type": "application/json"} | headers
        )

    async def close(self) -> None:
        """Close the client."""
        await self._http.aclose()


@dataclass(frozen=True, slots=True)
class TestApplication:
    """An application that exists in the core, with its version ``default``."""

    __test__ = False

    application_id: str
    application_key: str
    application_secret: str = field(repr=False)
    master_public_key: str

    @property
    def app(self) -> App:
        """As an app carries it."""
        texts = (self.application_key, self.application_secret, self.master_public_key)
        return App.of(self.application_id, *texts)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test the databases that its closest mark ``dialects`` names."""
    if "dialect" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("dialects")
        dialects = mark.args if mark else ("postgresql",)
        metafunc.parametrize("dialect", dialects, indirect=True, scope="session")


@pytest.fixture(scope="session")
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """The database that the test runs on."""
    chosen: Dialect = request.param
    return chosen


@pytest_asyncio.fixture(scope="session")
async def template_of(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[TemplateOf]:
    """URL of a database of a dialect with the current schema, made once a session."""
    made: dict[Dialect, str] = {}
    async with AsyncExitStack() as stack:

        async def template(dialect: Dialect) -> str:
            if dialect not in made:
                url = await stack.enter_async_context(
                    fresh_database(dialect, tmp_path_factory.mktemp("core"))
                )
                await migrations.upgrade(url, SCRIPT_LOCATION)
                if dialect == "sqlite":
                    await _fold_journal(url)
                made[dialect] = url
            return made[dialect]

        yield template


@pytest_asyncio.fixture(scope="session")
async def migrated(dialect: Dialect, template_of: TemplateOf) -> str:
    """URL of a database with the current schema; on SQLite a template to copy."""
    return await template_of(dialect)


@pytest_asyncio.fixture
async def database_url(dialect: Dialect, migrated: str, tmp_path: Path) -> AsyncGenerator[str]:
    """URL of a database with the current schema and empty tables."""
    if dialect == "sqlite":
        async with fresh_database(dialect, tmp_path, template=migrated) as url:
            yield url
        return
    database = Database(migrated)
    # For a handful of rows much faster than TRUNCATE, which makes new files for every table and index.
    tables = [table for table in metadata.sorted_tables if table is not pa_schema_history]
    deletions = " ".join(f'DELETE FROM "{table.name}";' for table in reversed(tables))
    async with database.transaction() as session:
        await session.execute(text(f"DO $$ BEGIN {deletions} END $$"))
    await database.dispose()
    yield migrated


@pytest.fixture
def make_settings(database_url: str) -> MakeSettings:
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
        return CoreSettings(**(defaults | overrides))

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
    async with _client(app, core, "/rest/v3", IntegrationKind.REST) as client:
        yield client


@pytest_asyncio.fixture
async def dmz(app: FastAPI, core: Core) -> AsyncIterator[Api]:
    """A client of ``/dmz/v1`` with the credentials of an integration."""
    async with _client(app, core, "/dmz/v1", IntegrationKind.DMZ) as client:
        yield client


@pytest_asyncio.fixture
async def serve(make_settings: MakeSettings) -> AsyncIterator[Callable[..., Awaitable[Api]]]:
    """A client of a core of its own with other settings: ``await serve(restrict_access=False)``."""
    async with AsyncExitStack() as stack:

        async def start(**overrides: Any) -> Api:
            app = create_app(make_settings(**overrides))
            await stack.enter_async_context(lifespan_of(app))
            return await stack.enter_async_context(
                _client(app, app.state.core, "/rest/v3", IntegrationKind.REST)
            )

        yield start


@pytest_asyncio.fixture
async def application(api: Api) -> TestApplication:
    """An application in the core."""
    return await create_test_application(api, "test-application")


async def create_test_application(api: Api, application_id: str) -> TestApplication:
    """Create an application and read what a client of it needs."""
    await api.ok("application/create", applicationId=application_id)
    detail = await api.ok("application/detail", applicationId=application_id)
    version = detail["versions"][0]
    return TestApplication(
        application_id=application_id,
        application_key=version["applicationKey"],
        application_secret=version["applicationSecret"],
        master_public_key=detail["masterPublicKey"],
    )


@pytest.fixture
def new_application(api: Api) -> Callable[[str], Awaitable[TestApplication]]:
    """Create one more application: ``await new_application("other")``."""

    async def create(application_id: str) -> TestApplication:
        return await create_test_application(api, application_id)

    return create


@asynccontextmanager
async def _client(app: FastAPI, core: Core, door: str, kind: IntegrationKind) -> AsyncGenerator[Api]:
    credentials = await ensure_integration(core, f"tests-{kind.value}", kind)
    client = Api(app, door, (credentials.client_token, credentials.client_secret))
    try:
        yield client
    finally:
        await client.close()


async def _fold_journal(url: str) -> None:
    """Make an SQLite file complete by itself, so that it can be copied."""
    database = Database(url)
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    await database.dispose()
