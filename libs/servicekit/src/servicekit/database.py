"""One database of one service: engine, transactions, the differences between PostgreSQL and SQLite.

PostgreSQL is the production database, SQLite the embedded one (design §5). Code above this module does not
ask which it is, except through ``Database.dialect``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from sqlalchemy import BigInteger, DateTime, Integer, Select, Table, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, CursorResult, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.types import TypeDecorator, TypeEngine

from servicekit.errors import DataRefused, ServiceError, Unavailable
from servicekit.private_files import private_file, private_folder
from servicekit.settings import DatabaseSettings

Dialect = Literal["postgresql", "sqlite"]
SelectT = TypeVar("SelectT", bound=Select[Any])

NAMING_CONVENTION: dict[str, str] = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""For ``MetaData(naming_convention=…)``: names of constraints that the code does not name itself."""

BigIntPk = BigInteger().with_variant(Integer(), "sqlite")
"""A generated primary key: BIGINT on PostgreSQL, the rowid on SQLite."""


class UtcTimestamp(TypeDecorator[datetime]):
    """``TIMESTAMP(6) WITHOUT TIME ZONE`` holding naive UTC. An aware value is a mistake and is refused."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> TypeEngine[Any]:
        """Microseconds on both; SQLite keeps ISO text."""
        if dialect.name == "postgresql":
            return cast(TypeEngine[Any], dialect.type_descriptor(postgresql.TIMESTAMP(precision=6)))
        return cast(TypeEngine[Any], dialect.type_descriptor(DateTime()))

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Let only naive values through."""
        if value is not None and value.tzinfo is not None:
            raise ValueError("column timestamps are naive UTC")
        return value


class DatabaseUnavailable(Unavailable):
    """No connection, a full pool, a lock or statement that took too long, a server going down."""


# SQLSTATE classes and codes that a retry may cure: connection, resources, shutdown, locks, time-outs.
_TRANSIENT_CLASSES = ("08", "53", "57P", "58")
_TRANSIENT_CODES = frozenset({"25006", "25P03", "40001", "40P01", "55P03", "57014"})
_SQLITE_TRANSIENT = frozenset({5, 6, 10, 13, 14})  # BUSY, LOCKED, IOERR, FULL, CANTOPEN

_CONNECTION_LOST_BEFORE = "8s2b"
"""SQLAlchemy's code for going on in a transaction whose connection was lost; it has others for mistakes."""

_BEGIN_OPTION = "sqlite_begin"


def translate_error(error: Exception) -> Exception | None:
    """The error a caller may handle, or ``None`` when ``error`` is nothing but a fault of ours."""
    if isinstance(error, PoolTimeout):
        return DatabaseUnavailable("no free database connection")
    if isinstance(error, ConnectionError | TimeoutError):
        return DatabaseUnavailable(f"database connection failed: {type(error).__name__}")
    if isinstance(error, PendingRollbackError) and error.code == _CONNECTION_LOST_BEFORE:
        return DatabaseUnavailable("database connection lost")
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return DatabaseUnavailable("database connection lost")
        cause: object = error.orig
    elif type(error).__module__.startswith("asyncpg."):
        cause = error
    else:
        return None
    sqlstate = getattr(cause, "sqlstate", None)
    if isinstance(sqlstate, str):
        if sqlstate.startswith("22"):
            return DataRefused()
        if sqlstate.startswith(_TRANSIENT_CLASSES) or sqlstate in _TRANSIENT_CODES:
            return DatabaseUnavailable(f"database refused for now: SQLSTATE {sqlstate}")
    elif cause is error:  # the driver's own complaint about its connection
        return DatabaseUnavailable(f"database connection lost: {type(error).__name__}")
    primary_code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if primary_code in _SQLITE_TRANSIENT:
        return DatabaseUnavailable(f"database refused for now: SQLite error {primary_code}")
    return None


class Database:
    """Connections to one database, and the two ways to use them: :meth:`transaction` and :meth:`read`."""

    def __init__(
        self, url: str, settings: DatabaseSettings | None = None, *, application_name: str = "powerauth"
    ) -> None:
        """
        :param url: ``postgresql://…`` or ``sqlite:///path``, with or without the driver's name
        :param application_name: shown in ``pg_stat_activity``
        """
        self.settings = settings or DatabaseSettings()
        self.url = normalised_url(url)
        self.dialect: Dialect = "postgresql" if self.url.get_backend_name() == "postgresql" else "sqlite"
        if self.dialect == "postgresql":
            self.engine = _postgresql_engine(self.url, self.settings, application_name)
        else:
            self.engine = _sqlite_engine(self.url, self.settings)
        self.writer = self.engine.execution_options(**{_BEGIN_OPTION: "BEGIN IMMEDIATE"})
        self._turn = asyncio.Lock() if self.dialect == "sqlite" else None
        self._drivers: list[_HeldDriver] = []
        self.session_info: dict[str, Any] = {}
        """What every session carries in its ``info``, for listeners of the mapper."""

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        """A session in a transaction that commits at the end of the block.

        An exception rolls back, except a :class:`ServiceError` with ``keep_changes``: then what was written
        before is committed and the error goes on. On SQLite the transaction holds the writer's place from
        its start.

        :raises DatabaseUnavailable: no connection or no lock in time, or the connection was lost
        :raises DataRefused: a value does not fit its column
        """
        if self._turn is None:
            async with self._session(self.writer, commit=True) as session:
                yield session
            return
        try:
            async with asyncio.timeout(self.settings.database_lock_timeout_seconds):
                await self._turn.acquire()
        except TimeoutError:
            raise DatabaseUnavailable("no place to write in time") from None
        try:
            async with self._session(self.writer, commit=True) as session:
                yield session
        finally:
            self._turn.release()

    @asynccontextmanager
    async def driver_transaction(self) -> AsyncGenerator[Any]:
        """The driver's own connection (asyncpg) in a transaction that commits at the end of the block.

        On PostgreSQL only, for statements so hot that the share of the layers above the driver shows.

        :raises DatabaseUnavailable: as :meth:`transaction`
        :raises DataRefused: a value does not fit its column
        """
        async with self.driver() as driver:
            try:
                await driver.execute("BEGIN")
                yield driver
                await driver.execute("COMMIT")
            except BaseException:
                # The rollback must go through even while the task is being cancelled.
                await asyncio.shield(_undo(driver))
                raise

    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[Any]:
        """The driver's own connection (asyncpg) outside of a transaction: each statement is one of its own.

        On PostgreSQL only.

        :raises DatabaseUnavailable: as :meth:`transaction`
        :raises DataRefused: a value does not fit its column
        """
        try:
            held = await self._take_driver()
            try:
                yield held.driver
            finally:
                # It must go back even while the task is being cancelled.
                if not self._keep_driver(held):
                    await asyncio.shield(held.give_back())
        except Exception as error:
            translated = translate_error(error)
            if translated is None:
                raise
            raise translated from error

    async def _take_driver(self) -> _HeldDriver:
        while self._drivers:
            held = self._drivers.pop()
            if not held.driver.is_closed():
                return held
            await held.give_back()
        connection = await self.engine.connect()
        try:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
        except BaseException:
            await asyncio.shield(connection.close())
            raise
        return _HeldDriver(connection, driver)

    def _keep_driver(self, held: _HeldDriver) -> bool:
        """Keep a connection for the next one, a few at most: taking it out of the pool costs like a query."""
        if held.driver.is_closed() or len(self._drivers) >= self.settings.database_pool_size // 4:
            return False
        self._drivers.append(held)
        return True

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession]:
        """A session in a transaction that only reads: always rolled back.

        :raises DatabaseUnavailable: no connection in time, or the connection was lost
        """
        async with self._session(self.engine, commit=False) as session:
            yield session

    @asynccontextmanager
    async def _session(self, bind: AsyncEngine, *, commit: bool) -> AsyncGenerator[AsyncSession]:
        try:
            async with self._open(bind, commit=commit) as session:
                yield session
        except Exception as error:
            translated = translate_error(error)
            if translated is None:
                raise
            raise translated from error

    @asynccontextmanager
    async def _open(self, bind: AsyncEngine, *, commit: bool) -> AsyncGenerator[AsyncSession]:
        session = AsyncSession(bind, expire_on_commit=False, info=self.session_info)
        committed = False
        try:
            await self._connect(session)
            try:
                yield session
            except ServiceError as refusal:
                if commit and refusal.keep_changes:
                    await session.commit()
                    _run_after_commit(session)
                raise
            if commit:
                await session.commit()
                committed = True
                _run_after_commit(session)
        finally:
            if committed:
                await session.close()
            else:
                # The rollback must go through even while the task is being cancelled. It fails when the
                # connection was lost, also after an error of another kind.
                await asyncio.shield(session.close())

    async def _connect(self, session: AsyncSession) -> None:
        """Take a connection and begin, so that failures to connect are told apart from the block's own."""
        try:
            await session.connection()
        except OSError as error:
            raise DatabaseUnavailable(f"database connection failed: {type(error).__name__}") from error

    async def ping(self) -> None:
        """One round trip.

        :raises DatabaseUnavailable: when the database does not answer
        """
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def dispose(self) -> None:
        """Close all connections."""
        while self._drivers:
            await self._drivers.pop().give_back()
        await self.engine.dispose()


@dataclass(frozen=True, slots=True)
class _HeldDriver:
    """A connection taken out of the pool for the driver's own use."""

    connection: AsyncConnection
    driver: Any

    async def give_back(self) -> None:
        """Back into the pool, or away if it is closed."""
        if self.driver.is_closed():
            await self.connection.invalidate()
        await self.connection.close()


async def _undo(driver: Any) -> None:
    """End a transaction that the driver began; a connection that cannot is given up."""
    try:
        await driver.execute("ROLLBACK")
    except Exception:
        driver.terminate()


def after_commit(session: AsyncSession, callback: Callable[[], None]) -> None:
    """Run ``callback``, which must not block, once the transaction has committed; not when it rolls back."""
    session.sync_session.info.setdefault("after_commit", []).append(callback)


def _run_after_commit(session: AsyncSession) -> None:
    for callback in session.sync_session.info.pop("after_commit", ()):
        callback()


def normalised_url(url: str) -> URL:
    """The URL with the asynchronous driver we use.

    :raises ValueError: for another database than PostgreSQL or SQLite
    """
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+asyncpg")
    if backend == "sqlite":
        return parsed.set(drivername="sqlite+aiosqlite")
    raise ValueError(f"unsupported database: {backend}")


def _postgresql_engine(url: URL, settings: DatabaseSettings, application_name: str) -> AsyncEngine:
    def milliseconds(seconds: float) -> str:
        return str(int(seconds * 1000))

    engine = create_async_engine(
        url,
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_max_overflow,
        pool_timeout=settings.database_pool_timeout_seconds,
        hide_parameters=True,
        connect_args={
            "timeout": settings.database_connect_timeout_seconds,
            # The server's own time-out comes first; this one is for a network that swallows packets.
            "command_timeout": settings.database_statement_timeout_seconds + 5,
            "prepared_statement_cache_size": 500,
            "server_settings": {
                "application_name": application_name,
                "timezone": "UTC",
                "jit": "off",
                "statement_timeout": milliseconds(settings.database_statement_timeout_seconds),
                "lock_timeout": milliseconds(settings.database_lock_timeout_seconds),
                "idle_in_transaction_session_timeout": milliseconds(
                    settings.database_idle_transaction_timeout_seconds
                ),
                # The server soon notices a client whose machine is gone, and lets go of its locks.
                "tcp_keepalives_idle": "30",
                "tcp_keepalives_interval": "10",
                "tcp_keepalives_count": "3",
            },
        },
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def refuse_closed(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
        # The driver notices a server that went away; the pool then replaces the connection.
        if dbapi_connection.driver_connection.is_closed():
            raise DisconnectionError

    return engine


def _sqlite_engine(url: URL, settings: DatabaseSettings) -> AsyncEngine:
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
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN_OPTION, "BEGIN"))

    return engine


def for_update(
    statement: SelectT,
    dialect: Dialect,
    *,
    skip_locked: bool = False,
    nowait: bool = False,
    of: Any = None,
) -> SelectT:
    """Lock the selected rows. SQLite needs nothing: its one writer already holds the whole database."""
    if dialect == "sqlite":
        return statement
    return statement.with_for_update(skip_locked=skip_locked, nowait=nowait, of=of)


async def insert_ignore(
    session: AsyncSession, table: Table, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> int:
    """Insert what does not violate a unique constraint; the number of rows that went in.

    On PostgreSQL an insert waits for a concurrent one of the same key to commit or roll back, so exactly
    one wins.
    """
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    rows = values if isinstance(values, Mapping) else list(values)
    if not rows:
        return 0
    result = await session.execute(insert(table).values(rows).on_conflict_do_nothing())
    return cast(CursorResult[Any], result).rowcount
