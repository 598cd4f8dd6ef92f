"""Databases of the original, before and after adoption. PostgreSQL only: the original knows no SQLite."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from core_test_original import MASTER_KEY, Original
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from powerauth_core.adoption.service import adopt
from servicekit.commands import Outcome
from servicekit.database import normalised_url
from servicekit.testing import fresh_database

HERE = Path(__file__).parent

RELEASES = {"1.9": ("original_1_9.sql",), "1.10": ("original_1_9.sql", "original_1_10.sql", "liquibase.sql")}
Execute = Callable[..., Awaitable[None]]


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[AsyncConnection]:
    """A connection whose transaction commits at the end of the block."""
    engine = create_async_engine(normalised_url(url), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()


@pytest.fixture(scope="session")
def original() -> Original:
    """What the original wrote."""
    return Original()


@pytest_asyncio.fixture(scope="session")
async def templates(
    original: Original, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[dict[str, str]]:
    """URLs of a database of each release with the original's rows, to copy."""
    folder = tmp_path_factory.mktemp("original")
    async with fresh_database("postgresql", folder) as old, fresh_database("postgresql", folder) as new:
        urls = {"1.9": old, "1.10": new}
        for release, url in urls.items():
            async with connected(url) as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                assert driver is not None
                for script in RELEASES[release]:
                    await driver.execute((HERE / script).read_text())
                await original.write(connection)
                if release == "1.10":
                    await original.write_additional_data(connection)
        yield urls


@pytest.fixture(params=list(RELEASES))
def release(request: pytest.FixtureRequest) -> str:
    """The release that the database is of."""
    chosen: str = request.param
    return chosen


@pytest_asyncio.fixture
async def original_url(templates: dict[str, str], tmp_path: Path) -> AsyncIterator[str]:
    """A database of release 1.9 with the original's rows."""
    async with fresh_database("postgresql", tmp_path, template=templates["1.9"]) as url:
        yield url


@pytest_asyncio.fixture
async def release_url(templates: dict[str, str], release: str, tmp_path: Path) -> AsyncIterator[str]:
    """A database of each release with the original's rows."""
    async with fresh_database("postgresql", tmp_path, template=templates[release]) as url:
        yield url


@pytest.fixture
def execute(original_url: str) -> Execute:
    """Change the database of release 1.9 before its adoption: ``await execute("DROP …", "ALTER …")``."""

    async def run(*statements: str) -> None:
        async with connected(original_url) as connection:
            for statement in statements:
                await connection.exec_driver_sql(statement)

    return run


Examine = Callable[..., Awaitable[Outcome]]


@pytest.fixture
def examine(original_url: str) -> Examine:
    """What the adoption would say of the database of release 1.9."""

    async def run(master_key: bytes | None = MASTER_KEY) -> Outcome:
        return await adopt(original_url, master_key, check_only=True)

    return run


@pytest_asyncio.fixture(scope="session")
async def adopted_template(
    templates: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[str]:
    """An adopted database of release 1.9, to copy."""
    folder = tmp_path_factory.mktemp("adopted")
    async with fresh_database("postgresql", folder, template=templates["1.9"]) as url:
        outcome = await adopt(url, MASTER_KEY)
        assert outcome.ok, outcome.text
        yield url


@pytest_asyncio.fixture
async def database_url(adopted_template: str, tmp_path: Path) -> AsyncIterator[str]:
    """What the cores of these tests run on: an adopted database."""
    async with fresh_database("postgresql", tmp_path, template=adopted_template) as url:
        yield url
