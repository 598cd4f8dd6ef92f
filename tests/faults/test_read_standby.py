"""Lists and audits are read from a standby while it is of use, and from the primary otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime

import pytest
from fault_stack import connected, until
from sqlalchemy import text

from powerauth_cli.localservers import PostgresServer, StandbyServer
from powerauth_contracts.enums import AuditLevel
from powerauth_core.audit import service as log
from powerauth_core.audit.models import AuditLog
from powerauth_core.audit.rules import AuditType
from powerauth_core.container import Core
from powerauth_core.kernel.paging import Page
from powerauth_core.runtime import running_core
from powerauth_core.settings import CoreSettings
from servicekit import units

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[PostgresServer, StandbyServer]]:
    with PostgresServer() as primary, StandbyServer(primary) as standby:
        yield primary, standby


@pytest.fixture
async def core(servers: tuple[PostgresServer, StandbyServer]) -> AsyncIterator[Core]:
    primary, standby = servers
    settings = CoreSettings(
        database_url=primary.url,
        read_database_url=standby.url,
        read_database_max_lag_seconds=2,
        jobs_enabled=False,
        request_log=False,
    )
    async with running_core(settings) as made:
        yield made


async def on_standby(core: Core) -> bool:
    async def ask() -> bool:
        async with core.reading.read() as session:
            return bool(await session.scalar(text("SELECT pg_is_in_recovery()")))

    return await units.repeated(ask)


async def write(core: Core, message: str) -> None:
    async with core.database.transaction() as session:
        await log.record(session, AuditType.ACTIVATION, message, {}, "alice")


async def listed(core: Core) -> list[str]:
    """As a request does it: again, if a connection was lost."""
    records, _ = await units.repeated(lambda: _records(core))
    return [record.message for record in records]


async def _records(core: Core) -> tuple[Sequence[AuditLog], bool]:
    return await log.list_records(
        core.reading,
        subject_id="alice",
        types=None,
        min_level=AuditLevel.INFO,
        since=datetime(2020, 1, 1),
        until=datetime(2120, 1, 1),
        page=Page(0, 10),
        scope=None,
    )


async def test_a_standby_answers_while_it_is_of_use(
    core: Core, servers: tuple[PostgresServer, StandbyServer]
) -> None:
    _, standby = servers

    async def answers() -> bool:
        return await on_standby(core)

    async def is_left() -> bool:
        return not await on_standby(core)

    async def shows(*messages: str) -> None:
        async def does() -> bool:
            return await listed(core) == list(messages)

        await until(does, f"{messages} are listed")

    await until(answers, "the standby follows")
    await write(core, "one")
    await shows("one")
    # Behind: it answers for a moment, then the primary does.
    async with connected(standby.url) as driver:
        await driver.execute("SELECT pg_wal_replay_pause()")
        await write(core, "two")
        await shows("two", "one")
        assert await is_left()
        await driver.execute("SELECT pg_wal_replay_resume()")
    await until(answers, "the standby has caught up")
    assert await listed(core) == ["two", "one"]
    # Away: no read fails.
    standby.stop()
    assert await listed(core) == ["two", "one"]
    assert await is_left()
    standby.start()
    await until(answers, "the standby is back")
    # No standby any more: what it holds is somebody else's.
    standby.promote()
    await write(core, "three")
    await shows("three", "two", "one")
    assert await is_left()
