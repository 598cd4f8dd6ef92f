"""Services as processes, on servers that a test may stop and rows that it may lock."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from inspect import isawaitable

import asyncpg

from powerauth_cli.separate import SeparateProcesses, ServiceProcess
from servicekit.testing import PATIENCE_SECONDS

CORE_PATH = "/powerauth-java-server"
NO_LIMITS = {
    "ENROLLMENT_LIMIT_FAILURES_PER_ADDRESS": "0",
    "ENROLLMENT_LIMIT_KEYSTORE_PER_ACTIVATION": "0",
    "ENROLLMENT_LIMIT_STATUS_PER_ACTIVATION": "0",
    "CORE_DMZ_ATTEMPTS_PER_ACTIVATION_PER_MINUTE": "0",
}
"""Nothing here takes this long; the machine may be busy with something else."""


def server(variable: str) -> str:
    """Address of one of the test run's servers."""
    url = os.environ.get(variable)
    assert url, f"{variable} is not set; run the tests by `make test`"
    return url


async def until(
    condition: Callable[[], object | Awaitable[object]], explain: Callable[[], object] | str = ""
) -> None:
    """Wait for what happens in another process.

    :param explain: what is missing, for the report of a failure
    """
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (await result if isawaitable(result := condition()) else result):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"did not happen: {explain() if callable(explain) else explain}") from None


async def connect(database_url: str) -> asyncpg.Connection:
    """A connection of the test's own."""
    return await asyncpg.connect(database_url.replace("+asyncpg", ""))


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The same for a block."""
    connection = await connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


async def outbox_is_empty(database: asyncpg.Connection) -> bool:
    """Whether every event was published."""
    return not await database.fetchval("SELECT count(*) FROM outbox_event")


async def waiting_for_locks(database: asyncpg.Connection, kind: str = "%") -> int:
    """How many of the other connections to this database wait for a lock of somebody else."""
    count: int = await database.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND wait_event_type = 'Lock' AND wait_event LIKE $1",
        kind,
    )
    return count


def running(processes: SeparateProcesses) -> dict[str, int]:
    """Process ids: those that are still the same were not restarted."""
    return {name: process.pid for name, process in processes.processes.items()}


def further_core(database_url: str, settings: dict[str, str]) -> ServiceProcess:
    """Another replica of a core, not started yet."""
    return ServiceProcess(
        "core",
        CORE_PATH,
        {"CORE_DATABASE_URL": database_url, "CORE_MIGRATE_ON_START": "false", **NO_LIMITS, **settings},
    )
