"""Databases and brokers for tests: each test gets a database of its own, on SQLite and on PostgreSQL.

The servers come from the environment: ``TEST_POSTGRES_URL`` (any database of a server where databases may
be created) and ``TEST_RABBITMQ_URL``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex

from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from servicekit.database import Dialect, normalised_url

PATIENCE_SECONDS = 600.0
"""How long a test waits for what must come. It costs only when that does not come, so it is long enough for a
machine ten times slower than ours that does something else too."""

DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgresql")


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


async def _administer(server: URL, statement: str) -> None:
    engine = create_async_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()
