"""Engines of the two databases: how connections are opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.engine import URL, Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from servicekit.database_urls import parsed_url, tls_arguments, without_tls
from servicekit.private_files import private_file, private_folder
from servicekit.settings import DatabaseSettings

BEGIN_OPTION = "sqlite_begin"
"""Execution option: the statement that begins a transaction on SQLite."""

_CACHED_STATEMENTS = 500


def normalised_url(url: str) -> URL:
    """The URL with the asynchronous driver we use.

    :raises ValueError: for another database than PostgreSQL or SQLite, or parameters that it does not take
    """
    parsed = parsed_url(url)
    backend = parsed.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+asyncpg")
    if backend == "sqlite":
        return parsed.set(drivername="sqlite+aiosqlite")
    raise ValueError(f"unsupported database: {backend}")


def is_missing_file(url: str) -> bool:
    """Whether a database would be made by opening it: an SQLite file that is not there."""
    parsed = normalised_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return False
    return not parsed.query.get("uri") and not Path(parsed.database).exists()


def milliseconds(seconds: float) -> str:
    """A duration as PostgreSQL takes it."""
    return str(int(seconds * 1000))


def time_limits(settings: DatabaseSettings) -> dict[str, str]:
    """PostgreSQL's parameters that bound statements, waits for locks and idle transactions."""
    return {
        "statement_timeout": milliseconds(settings.database_statement_timeout_seconds),
        "lock_timeout": milliseconds(settings.database_lock_timeout_seconds),
        "idle_in_transaction_session_timeout": milliseconds(
            settings.database_idle_transaction_timeout_seconds
        ),
    }


def postgresql_engine(url: URL, settings: DatabaseSettings, application_name: str) -> AsyncEngine:
    """An engine on PostgreSQL."""
    return create_async_engine(
        without_tls(url),
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_max_overflow,
        pool_timeout=settings.database_pool_timeout_seconds,
        pool_recycle=settings.database_connection_max_age_seconds,
        hide_parameters=True,
        connect_args=_connect_args(settings, application_name) | tls_arguments(url),
    )


def _connect_args(settings: DatabaseSettings, application_name: str) -> dict[str, Any]:
    common = {
        "timeout": settings.database_connect_timeout_seconds,
        # The server's own time-out comes first; this one is for a network that swallows packets.
        "command_timeout": settings.database_statement_timeout_seconds + 5,
    }
    session = {"application_name": application_name, "timezone": "UTC"}
    if settings.database_transaction_pooler:
        # Not before it is needed: it brings the driver along.
        from servicekit.pooler import pooled_connect_args  # noqa: PLC0415

        return {**common, **pooled_connect_args(time_limits(settings)), "server_settings": session}
    return {
        **common,
        "prepared_statement_cache_size": _CACHED_STATEMENTS,
        "server_settings": {
            **session,
            "jit": "off",
            **time_limits(settings),
            # The server soon notices a client whose machine is gone, and lets go of its locks.
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
        },
    }


def sqlite_engine(url: URL, settings: DatabaseSettings) -> AsyncEngine:
    """An engine on an SQLite file, or on one connection in memory."""
    in_memory = url.database in (None, "", ":memory:")
    if not in_memory and not url.query.get("uri"):
        path = Path(cast(str, url.database))
        private_folder(path.parent)
        private_file(path)
    engine = create_async_engine(
        url,
        # A database in memory lives in its connection: everybody takes turns on the one.
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1 if in_memory else settings.database_pool_size,
        max_overflow=0 if in_memory else settings.database_max_overflow,
        pool_timeout=settings.database_pool_timeout_seconds,
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def configure(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None  # the driver's own BEGIN is deferred and late: we send ours
        cursor = dbapi_connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(settings.database_lock_timeout_seconds * 1000)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(BEGIN_OPTION, "BEGIN"))

    return engine
