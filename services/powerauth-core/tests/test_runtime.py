"""Starting and stopping a core."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from powerauth_core.app import create_app
from powerauth_core.migrations import BASELINE, SCRIPT_LOCATION
from powerauth_core.runtime import _migrates, needed_schema, running_core
from powerauth_core.settings import CoreSettings
from servicekit import metrics, migrations
from servicekit.bus.memory import InMemoryBus
from servicekit.database import Database, Dialect
from servicekit.schema_history import SchemaRefused
from servicekit.serving import lifespan_of
from servicekit.testing import PATIENCE_SECONDS, fresh_database

pytestmark = pytest.mark.dialects("sqlite", "postgresql")


@pytest_asyncio.fixture
async def empty_url(dialect: Dialect, tmp_path: Path) -> AsyncGenerator[str]:
    async with fresh_database(dialect, tmp_path) as url:
        yield url


def settings(url: str, **changes: Any) -> CoreSettings:
    defaults: dict[str, Any] = {"environment": "test", "database_url": url, "request_log": False}
    return CoreSettings(**(defaults | changes))


async def test_replicas_that_start_together_migrate_once(empty_url: str) -> None:
    async def start() -> None:
        async with running_core(settings(empty_url, migrate_on_start=True)) as core:
            await core.database.ping()

    await asyncio.gather(*[start() for _ in range(3)])
    assert await migrations.current(empty_url) == await migrations.head("powerauth_core:migrations")


async def test_a_core_does_not_start_on_a_schema_older_than_itself(empty_url: str) -> None:
    for before in (None, BASELINE):
        if before is not None:
            await migrations.upgrade(empty_url, SCRIPT_LOCATION, before)
        with pytest.raises(
            SchemaRefused, match=r"^CORE_DATABASE_URL: the schema is older .*`powerauth db migrate`$"
        ):
            async with running_core(settings(empty_url, migrate_on_start=False)):
                pass


async def test_a_core_on_a_later_schema_starts_until_that_leaves_it_behind(empty_url: str) -> None:
    await migrations.upgrade(empty_url, SCRIPT_LOCATION)
    later = "INSERT INTO pa_schema_history VALUES (:revision, :minimum, CURRENT_TIMESTAMP)"
    database = Database(empty_url)
    for revision, minimum in (("9998_expands", None), ("9999_contracts", "99.0.0")):
        async with running_core(settings(empty_url, migrate_on_start=False)) as core:
            await needed_schema().confirm(core.database)
            async with database.transaction() as session:
                await session.execute(text(later), {"revision": revision, "minimum": minimum})
    with pytest.raises(SchemaRefused, match=r"99\.0\.0"):
        async with running_core(settings(empty_url, migrate_on_start=False)):
            pass
    await database.dispose()


@pytest.mark.parametrize(
    ("url", "environment", "told", "expected"),
    [
        ("sqlite:///x", "development", None, True),
        ("sqlite:///x", "production", None, True),
        ("postgresql://h/x", "development", None, True),
        ("postgresql://h/x", "production", None, False),
        ("postgresql://h/x", "production", True, True),
        ("sqlite:///x", "development", False, False),
    ],
)
async def test_migration_at_start_by_default(
    url: str,
    environment: str,
    told: bool | None,
    expected: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = settings(url, environment=environment, migrate_on_start=told)
    assert _migrates(chosen, Database(url, chosen)) is expected


async def test_a_bus_that_others_use_is_left_running(database_url: str) -> None:
    bus = InMemoryBus()
    await bus.start()
    async with running_core(settings(database_url, jobs_enabled=False), bus):
        pass
    assert bus.connected
    await bus.close()


async def test_the_application_starts_its_core_and_stops_it(database_url: str) -> None:
    app = create_app(settings(database_url))
    async with lifespan_of(app):
        core = app.state.core
        await core.database.ping()
        assert core.jobs._tasks
    assert not core.jobs._tasks
    assert not core.relay._tasks


async def test_jobs_run_in_the_background(database_url: str) -> None:
    chosen = settings(database_url, job_unique_value_cleanup_ms=1)
    async with running_core(chosen):
        before = _expired()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while _expired() == before:  # noqa: ASYNC110 a counter has no event
                await asyncio.sleep(0.01)


def _expired() -> float:
    """How often the job was done."""
    labels = {"name": "expireUniqueValuesTask", "outcome": "done"}
    return metrics.REGISTRY.get_sample_value("job_runs_total", labels) or 0.0


async def test_a_start_without_a_database_fails_and_leaves_nothing_open() -> None:
    chosen = settings("postgresql://127.0.0.1:1/none", migrate_on_start=True)
    with pytest.raises(Exception, match="database"):
        async with running_core(chosen):
            pass
