"""Alembic without an ini file: every service ships its revisions inside its package and runs them itself.

A service's ``migrations/env.py`` is two lines::

    from servicekit.migrations import run_migrations
    run_migrations(Base.metadata)

Revisions have names that sort in their order (``0001_initial``). So a start on a schema that is current reads
a row and these names; Alembic is loaded where there is something to migrate.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, MetaData, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from servicekit import clock, schema_history
from servicekit.database import Database, DatabaseUnavailable, translate_error
from servicekit.database_errors import connection_failed
from servicekit.engines import is_missing_file
from servicekit.settings import DatabaseSettings
from servicekit.start_rules import Finding

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext, MigrationInfo

# Chosen once and kept: replicas of different versions must take the same lock.
_LOCK_KEY = 0x706F_7765_7261_7574

# It names each of its own parts at every start.
logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)

# Alembic's ``context`` is a global of the process: one run at a time.
_one_at_a_time = asyncio.Lock()

_REVISION = re.compile(r'^revision = "(.+)"$', re.MULTILINE)

_SETTINGS = DatabaseSettings(
    database_pool_size=1,
    database_max_overflow=0,
    database_statement_timeout_seconds=3600,
    database_lock_timeout_seconds=600,
    database_idle_transaction_timeout_seconds=3600,
)


@dataclass(frozen=True, slots=True)
class Migrator:
    """A database that nobody else migrates meanwhile.

    :ivar connection: holds the lock; what is read on it is ended with `end` before a revision runs
    """

    database: Database
    connection: AsyncConnection
    script_location: str | Path

    async def current(self) -> str | None:
        """The revision of the database; ``None`` for one without a history."""
        revision = await self.connection.run_sync(_read_revision)
        await self.end()
        return revision

    async def has_table(self, name: str) -> bool:
        """Whether the database has a table."""
        found = await self.connection.run_sync(lambda connection: inspect(connection).has_table(name))
        await self.end()
        return found

    async def upgrade(self, target: str = "head") -> None:
        """Run the revisions up to ``target``; on a schema of a later release there is nothing to do.

        :raises SchemaRefused: the history is that of another service, or of another program
        """
        if not await self._is_behind():
            return

        def run(config: Config) -> None:
            from alembic import command  # noqa: PLC0415 - heavy, needed where there is something to migrate

            command.upgrade(config, target)

        await self._run(run)

    async def _is_behind(self) -> bool:
        """Whether the database's revision is older than the newest of ours.

        :raises SchemaRefused: it is none of ours, nor that of a later release
        """
        revision = await self.current()
        *earlier, last = history(self.script_location)
        if revision is None or revision in earlier:
            return True
        if revision == last:
            return False
        applied = await self.connection.run_sync(schema_history.applied)
        await self.end()
        if last in applied:
            return False
        meaning = f"the schema is of revision {revision}, which is none of this service: another's database?"
        raise schema_history.SchemaRefused(Finding("DATABASE_URL", meaning))

    async def stamp(self, revision: str) -> None:
        """Record a revision without running anything."""

        def run(config: Config) -> None:
            from alembic import command  # noqa: PLC0415

            command.stamp(config, revision)

        await self._run(run)

    async def end(self) -> None:
        """End the transaction of what was read; nothing of it is kept."""
        await self.connection.rollback()

    async def _run(self, action: Callable[[Config], None]) -> None:
        def with_connection(connection: Connection) -> None:
            config = _config(self.script_location)
            config.attributes["connection"] = connection
            action(config)
            connection.commit()

        await self.end()
        await self.connection.run_sync(with_connection)


@asynccontextmanager
async def exclusive(url: str, script_location: str | Path) -> AsyncGenerator[Migrator]:
    """Migrate, or look before migrating, with every other process and task waiting.

    :param script_location: the folder with ``env.py`` and ``versions``, or ``package:folder``
    :raises DatabaseUnavailable: when there is no connection or no lock
    """
    async with _one_at_a_time, _connection(url) as (database, connection):
        if database.dialect == "postgresql":
            # Held by the connection, not the transaction: every revision commits.
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK_KEY})
            await connection.commit()
        yield Migrator(database, connection, script_location)


async def upgrade(url: str, script_location: str | Path, target: str = "head") -> None:
    """Bring a database to ``target``. Replicas may start together: one migrates, the others wait.

    :param script_location: the folder with ``env.py`` and ``versions``, or ``package:folder``
    :raises DatabaseUnavailable: when there is no connection or no lock
    """
    async with exclusive(url, script_location) as migrator:
        await migrator.upgrade(target)


async def stamp(url: str, script_location: str | Path, revision: str) -> None:
    """Record a revision without running anything: how an existing installation's database is adopted."""
    async with exclusive(url, script_location) as migrator:
        await migrator.stamp(revision)


async def current(url: str) -> str | None:
    """The revision a database is at; ``None`` for one without a history. Nothing is made by looking."""
    if is_missing_file(url):
        return None
    async with _connection(url) as (_database, connection):
        return await connection.run_sync(_read_revision)


async def head(script_location: str | Path) -> str:
    """The newest revision that the code knows."""
    return newest(script_location)


def newest(script_location: str | Path) -> str:
    """The same; looks at files."""
    return history(script_location)[-1]


def history(script_location: str | Path) -> list[str]:
    """All revisions that the code knows, in their order."""
    texts = (script.read_text("utf-8") for script in (folder_of(script_location) / "versions").glob("*.py"))
    return sorted(name for text in texts for name in _REVISION.findall(text))


def folder_of(script_location: str | Path) -> Path:
    """Where ``env.py`` and ``versions`` are."""
    package, _, folder = str(script_location).rpartition(":")
    return Path(str(files(package))) / folder if package else Path(script_location)


def run_migrations(metadata: MetaData, **options: Any) -> None:
    """Called by a service's ``env.py``: runs the revisions on the prepared connection.

    On PostgreSQL each in a transaction of its own, so that its locks end with it; a failed one leaves what
    came before. On SQLite, where the transaction is the lock against other processes, all of them in one.

    :param options: further options of ``alembic.context.configure``
    """
    from alembic import context  # noqa: PLC0415

    connection: Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,
        transaction_per_migration=connection.dialect.name == "postgresql",
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        on_version_apply=_remember,
        **options,
    )
    with context.begin_transaction():
        context.run_migrations()


def _remember(
    ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]
) -> None:
    """Append to the schema's history what is applied now, in the revision's own transaction.

    The revision that makes the history, and a stamp, append those before it as well.
    """
    if not (step.is_upgrade or step.is_stamp):
        return
    assert ctx.script is not None
    assert ctx.connection is not None
    applied: dict[str, str | None] = {}
    for revision in step.destination_revision_ids:
        for script in ctx.script.iterate_revisions(revision, "base"):
            applied[script.revision] = getattr(script.module, "minimum_release", None)
    schema_history.append(ctx.connection, applied, clock.now())


def _read_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


@asynccontextmanager
async def _connection(url: str) -> AsyncGenerator[tuple[Database, AsyncConnection]]:
    database = Database(url, _SETTINGS, application_name="migrations")
    try:
        async with database.writer.connect() as connection:
            yield database, connection
    except OSError as error:
        raise connection_failed(error) from error
    except Exception as error:
        translated = translate_error(error)
        if isinstance(translated, DatabaseUnavailable):
            raise translated from error
        raise
    finally:
        await database.dispose()


def _config(script_location: str | Path) -> Config:
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(script_location).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
