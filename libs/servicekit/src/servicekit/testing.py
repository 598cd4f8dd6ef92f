"""Databases and brokers for tests: each test gets a database of its own, or a lasting one with empty tables,
on SQLite and on PostgreSQL.

The servers come from the environment: ``TEST_POSTGRES_URL`` (any database of a server where databases may
be created) and ``TEST_RABBITMQ_URL``.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import MetaData, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from servicekit.database import Database, Dialect, normalised_url
from servicekit.schema_history import TABLE_NAME as SCHEMA_HISTORY
from servicekit.settings import DatabaseSettings

PATIENCE_SECONDS = 600.0
"""How long a test waits for what must come. It costs only when that does not come, so it is long enough for a
machine ten times slower than ours that does something else too."""

DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgresql")
TemplateOf = Callable[[Dialect], Awaitable[str]]
"""URL of a migrated database, to be copied."""


def server_url(variable: str) -> str:
    """The address of a test server.

    :raises RuntimeError: when the environment does not give one; a test must fail then, not be skipped
    """
    url = os.environ.get(variable)
    if not url:
        raise RuntimeError(f"{variable} is not set: start the test servers first (see README.md, tests)")
    return url


@asynccontextmanager
async def fresh_database(dialect: Dialect, folder: Path, template: str | None = None) -> AsyncGenerator[str]:
    """The URL of an empty database that is gone after the block.

    :param folder: where an SQLite file may be put
    :param template: URL of a database of the same server to copy; nobody may be connected to it
    """
    name = f"test_{token_hex(8)}"
    if dialect == "sqlite":
        path = folder / f"{name}.sqlite3"
        if template is not None:
            shutil.copy(str(make_url(template).database), path)
        yield f"sqlite+aiosqlite:///{path}"
        return
    server = normalised_url(server_url("TEST_POSTGRES_URL"))
    source = f' TEMPLATE "{make_url(template).database}"' if template is not None else ""
    await _administer(server, f'CREATE DATABASE "{name}"{source}')
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        await _administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@dataclass(slots=True)
class LastingDatabases:
    """A database of each dialect that stays for a whole session, and what opens databases for services: those
    here for one service at a time.

    Opening connections, and compiling and preparing statements for them, costs more than what most tests do
    with them: so the next service goes on where the last one stopped.

    :ivar metadata: the service's tables
    :ivar make: makes a database with the current schema; its URL
    """

    metadata: MetaData
    make: Callable[[Dialect], Awaitable[str]]
    _urls: dict[Dialect, str] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _idle: defaultdict[str, list[_LastingDatabase]] = field(default_factory=lambda: defaultdict(list))

    async def emptied(self, dialect: Dialect) -> str:
        """URL of the database with empty tables. On PostgreSQL, numbers of rows go on where they were."""
        if dialect not in self._urls:
            self._urls[dialect] = await self.make(dialect)
        url = self._urls[dialect]
        database = self.open(url)
        if dialect == "postgresql":
            async with database.transaction() as session:
                await session.execute(text(f"DO $$ BEGIN {self._deletions} END $$"))
        else:
            async with database.engine.connect() as connection:
                raw: Any = await connection.get_raw_connection()
                await raw.driver_connection.executescript(f"BEGIN IMMEDIATE; {self._deletions} COMMIT;")
        await database.dispose()
        return url

    def open(self, url: str, settings: DatabaseSettings | None = None, **more: Any) -> Database:
        """In place of `Database(...)`. What another database opens, or a server with its own event loop,
        is closed with its service.
        """
        if url not in self._urls.values() or _running_loop() is not self._loop:
            return Database(url, settings, **more)
        facts = (settings or _DEFAULTS).model_dump(include=set(DatabaseSettings.model_fields))
        idle = self._idle[f"{url} {facts} {more}"]
        if not idle:
            return _LastingDatabase(idle, url, settings, **more)
        database = idle.pop()
        database.settings = settings or database.settings
        return database

    async def close(self) -> None:
        """Close all connections."""
        for idle in self._idle.values():
            for database in idle:
                await database.engine.dispose()

    @property
    def _deletions(self) -> str:
        # For a handful of rows much faster than TRUNCATE, which makes new files for every table and index.
        tables = (table.name for table in reversed(self.metadata.sorted_tables))
        return " ".join(f'DELETE FROM "{name}";' for name in tables if name != SCHEMA_HISTORY)  # noqa: S608


@asynccontextmanager
async def migrated_databases(
    migrate: Callable[[str], Awaitable[None]], new_folder: Callable[[], Path]
) -> AsyncGenerator[TemplateOf]:
    """Databases with the current schema, one of each dialect, made when they are first asked for.

    :param migrate: makes the schema in the empty database of a URL
    :param new_folder: where an SQLite file may be put
    """
    made: dict[Dialect, str] = {}
    async with AsyncExitStack() as stack:

        async def template_of(dialect: Dialect) -> str:
            if dialect not in made:
                url = await stack.enter_async_context(fresh_database(dialect, new_folder()))
                await migrate(url)
                made[dialect] = url
            return made[dialect]

        yield template_of


@asynccontextmanager
async def lasting_databases(
    metadata: MetaData, template_of: TemplateOf, new_folder: Callable[[], Path]
) -> AsyncGenerator[LastingDatabases]:
    """Databases that are gone after the block.

    :param template_of: URL of a database with the current schema, to be copied
    :param new_folder: where an SQLite file may be put
    """
    async with AsyncExitStack() as stack:

        async def copy(dialect: Dialect) -> str:
            database = fresh_database(dialect, new_folder(), await template_of(dialect))
            return await stack.enter_async_context(database)

        lasting = LastingDatabases(metadata, copy)
        yield lasting
        await lasting.close()


_DEFAULTS = DatabaseSettings()


class _LastingDatabase(Database):
    def __init__(self, idle: list[_LastingDatabase], *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._idle = idle
        self._own_info = dict(self.session_info)

    async def dispose(self) -> None:
        """Wait for the next service, unless something still holds a connection."""
        while self._drivers:
            await self._drivers.pop().give_back()
        self.session_info = dict(self._own_info)
        pool: Any = self.engine.pool
        if pool.checkedout():
            await self.engine.dispose()
        else:
            self._idle.append(self)


async def has_said(output: asyncio.StreamReader, word: str, times: int = 1) -> None:
    """Wait until a program has said a word so often. What several of its processes say at once may run into
    each other's lines.

    :raises AssertionError: it ended before
    :raises TimeoutError: it does not come
    """
    heard = 0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while heard < times:
            line = await output.readline()
            assert line, f"ended without {word}"
            heard += line.decode().count(word)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _administer(server: URL, statement: str) -> None:
    engine = create_async_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()
