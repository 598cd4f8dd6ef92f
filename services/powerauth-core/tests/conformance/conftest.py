"""A core that all cases share: every case has an application of its own in it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

_HERE = Path(__file__).parent
sys.path.insert(0, str(_HERE / "support"))


from core_world import World  # noqa: E402 - the folder is on the path now

from powerauth_core.app import create_app  # noqa: E402
from powerauth_core.container import Core  # noqa: E402
from powerauth_core.settings import CoreSettings  # noqa: E402
from servicekit.database import Dialect  # noqa: E402
from servicekit.serving import lifespan_of  # noqa: E402
from servicekit.testing import fresh_database  # noqa: E402


@pytest_asyncio.fixture(scope="session")
async def served(
    dialect: Dialect, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Core, httpx2.AsyncClient]]:
    """A running core on a database of its own and a client of ``/rest/v3``."""
    async with fresh_database(dialect, tmp_path_factory.mktemp("conformance"), template=migrated) as url:
        settings = CoreSettings(
            environment="test",
            database_url=url,
            migrate_on_start=False,
            jobs_enabled=False,
            request_log=False,
            restrict_access=False,
            master_encryption_key="MTIzNDU2Nzg5MDEyMzQ1Ng==",
            egress_allowed_networks=["127.0.0.0/8"],
            jwt_issuer="https://id.bank.example/enrollment-server",
        )
        app = create_app(settings)
        async with (
            lifespan_of(app),
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app),
                base_url="http://core/powerauth-java-server/rest/v3/",
                headers={"Content-Type": "application/json"},
            ) as client,
        ):
            yield app.state.core, client


@pytest_asyncio.fixture
async def world(served: tuple[Core, httpx2.AsyncClient], monkeypatch: pytest.MonkeyPatch) -> World:
    """A new application, and everything that a case names."""
    return await World.create(*served, monkeypatch)


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """The API document of the application."""
    return create_app(CoreSettings(environment="test")).openapi()
