"""Databases that stay for a whole session. Opening connections, and compiling and preparing statements for
them, costs more than what most tests do with them: so the next core goes on where the last one stopped.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from powerauth_core.schema import metadata, pa_schema_history
from servicekit.database import Database, Dialect
from servicekit.settings import DatabaseSettings

_TABLES = [table.name for table in reversed(metadata.sorted_tables) if table is not pa_schema_history]
# For a handful of rows much faster than TRUNCATE, which makes new files for every table and index.
_DELETIONS = " ".join(f'DELETE FROM "{name}";' for name in _TABLES)
_DEFAULTS = DatabaseSettings()


@dataclass(slots=True)
class LastingDatabases:
    """A database of each dialect, and what opens databases for cores: those here for one core at a time.

    :ivar make: makes one with the current schema
    """

    make: Callable[[Dialect], Awaitable[str]]
    _urls: dict[Dialect, str] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _idle: defaultdict[str, list[_LastingDatabase]] = field(default_factory=lambda: defaultdict(list))

    async def emptied(self, dialect: Dialect) -> str:
        """URL of the database with empty tables."""
        if dialect not in self._urls:
            self._urls[dialect] = await self.make(dialect)
        url = self._urls[dialect]
        database = self.open(url)
        if dialect == "postgresql":
            async with database.transaction() as session:
                await session.execute(text(f"DO $$ BEGIN {_DELETIONS} END $$"))
        else:
            async with database.engine.connect() as connection:
                raw: Any = await connection.get_raw_connection()
                await raw.driver_connection.executescript(f"BEGIN IMMEDIATE; {_DELETIONS} COMMIT;")
        await database.dispose()
        return url

    def open(self, url: str, settings: DatabaseSettings | None = None, **more: Any) -> Database:
        """In place of `Database(...)`. What another database opens, or a server with its own event loop,
        is closed with its core.
        """
        if url not in self._urls.values() or asyncio.get_running_loop() is not self._loop:
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


class _LastingDatabase(Database):
    def __init__(self, idle: list[_LastingDatabase], *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._idle = idle
        self._own_info = dict(self.session_info)

    async def dispose(self) -> None:
        """Wait for the next core, unless something still holds a connection."""
        while self._drivers:
            await self._drivers.pop().give_back()
        self.session_info = dict(self._own_info)
        pool: Any = self.engine.pool
        if pool.checkedout():
            await self.engine.dispose()
        else:
            self._idle.append(self)
