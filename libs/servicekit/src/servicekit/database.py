"""One database of one service: engine, transactions, the differences between PostgreSQL and SQLite.

PostgreSQL is the production database, SQLite the embedded one (design §5). Code above this module does not
ask which it is, except through ``Database.dialect``.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from sqlalchemy import BigInteger, DateTime, Integer, Select, Table, event, func, select, text
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator

from servicekit import units
from servicekit.database_errors import DatabaseUnavailable, connection_failed, judge, translate_error
from servicekit.engines import BEGIN_OPTION, normalised_url, postgresql_engine, sqlite_engine
from servicekit.errors import ServiceError
from servicekit.reads import Read, Row, SharedReads
from servicekit.settings import DatabaseSettings
from servicekit.start_rules import Finding, StartRefused

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

__all__ = [
    "NAMING_CONVENTION",
    "BigIntPk",
    "Database",
    "DatabaseUnavailable",
    "Dialect",
    "Microseconds",
    "UtcTimestamp",
    "after_commit",
    "conflict_insert",
    "fetch_within",
    "for_update",
    "insert_ignore",
    "lock_name",
    "normalised_url",
    "translate_error",
]

Dialect = Literal["postgresql", "sqlite"]
SelectT = TypeVar("SelectT", bound=Select[*tuple[Any, ...]])

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


class Microseconds(DateTime):
    """``TIMESTAMP(6) WITHOUT TIME ZONE``; SQLite keeps ISO text."""


@compiles(Microseconds, "postgresql")
def _declared(_type: Microseconds, _compiler: Any, **_more: Any) -> str:
    return "TIMESTAMP(6) WITHOUT TIME ZONE"


class UtcTimestamp(TypeDecorator[datetime]):
    """``TIMESTAMP(6) WITHOUT TIME ZONE`` holding naive UTC. An aware value is a mistake and is refused."""

    impl = Microseconds
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Let only naive values through."""
        if value is not None and value.tzinfo is not None:
            raise ValueError("column timestamps are naive UTC")
        return value


_DATABASE = "database"


class Database:
    """Connections to one database, and the ways to use them: :meth:`transaction`, :meth:`read`, and for hot
    statements :meth:`fetch` and :meth:`driver`.
    """

    def __init__(
        self, url: str, settings: DatabaseSettings | None = None, *, application_name: str = "powerauth"
    ) -> None:
        """
        :param url: ``postgresql://…`` or ``sqlite:///path``, with or without the driver's name
        :param application_name: shown in ``pg_stat_activity``
        :raises StartRefused: a file that the URL names cannot be used
        """
        self.settings = settings or DatabaseSettings()
        self.url = normalised_url(url)
        self.dialect: Dialect = "postgresql" if self.url.get_backend_name() == "postgresql" else "sqlite"
        self._renewed = 0.0
        try:
            if self.dialect == "postgresql":
                self.engine = postgresql_engine(self.url, self.settings, application_name)
                event.listen(self.engine.sync_engine, "connect", _note_age)
                event.listen(self.engine.sync_engine, "checkout", self._refuse_useless)
            else:
                self.engine = sqlite_engine(self.url, self.settings)
        except OSError as error:
            named = f"{error.filename}: " if error.filename else ""
            raise StartRefused(Finding("DATABASE_URL", f"{named}{error.strerror or error}")) from None
        self.writer = self.engine.execution_options(**{BEGIN_OPTION: "BEGIN IMMEDIATE"})
        self._turn = asyncio.Lock() if self.dialect == "sqlite" else None
        self._drivers: list[_HeldDriver] = []
        self._shared = SharedReads(lambda: self._driver(undone=True))
        self.address = str(self.url)
        """The URL without its password: tells databases apart."""
        self.session_info: dict[str, Any] = {_DATABASE: self}
        """What every session carries in its ``info``, for listeners of the mapper."""

    @classmethod
    def of(cls, session: AsyncSession) -> Database:
        """The database that a session came from."""
        found = session.info[_DATABASE]
        assert isinstance(found, cls)
        return found

    def transaction(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A session in a transaction that commits at the end of the block.

        An exception rolls back, except a :class:`ServiceError` with ``keep_changes``: then what was written
        before is committed and the error goes on. On SQLite the transaction holds the writer's place from
        its start.

        :raises DatabaseUnavailable: no connection or no lock in time, the connection was lost, or the server
            cannot write
        :raises DataRefused: a value does not fit its column, or breaks a constraint
        """
        return self._session(self.writer, commit=True) if self._turn is None else self._in_turn(self._turn)

    @asynccontextmanager
    async def _in_turn(self, turn: asyncio.Lock) -> AsyncGenerator[AsyncSession]:
        try:
            async with asyncio.timeout(self.settings.database_lock_timeout_seconds):
                await turn.acquire()
        except TimeoutError:
            raise DatabaseUnavailable("no place to write in time") from None
        try:
            async with self._session(self.writer, commit=True) as session:
                yield session
        finally:
            turn.release()

    def driver(self) -> AbstractAsyncContextManager[Any]:
        """The driver's own connection (asyncpg) outside of a transaction: each statement is one of its own.

        On PostgreSQL only.

        :raises DatabaseUnavailable: as :meth:`transaction`
        :raises DataRefused: as :meth:`transaction`
        """
        units.spent()
        return self._driver(undone=False)

    async def fetch(self, read: Read, /, *values: Any) -> Sequence[Row]:
        """The rows of a hot read, as it is committed now; not inside a session's block.

        :raises DatabaseUnavailable: as :meth:`read`
        """
        if self.dialect == "postgresql":
            return await self._shared.fetch(read, values)
        async with self.read() as session:
            return await fetch_within(session, read, *values)

    @asynccontextmanager
    async def _driver(self, *, undone: bool) -> AsyncGenerator[Any]:
        """:param undone: whether what is done leaves nothing behind"""
        held: _HeldDriver | None = None
        try:
            held = await self._take_driver()
            yield held.driver
        except Exception as error:
            if self._is_useless(error) and held is not None:
                held.useless = True
            translated = translate_error(error, undone=undone)
            if translated is None:
                raise
            raise translated from error
        finally:
            # It must go back even while the task is being cancelled.
            if held is not None and not self._keep_driver(held):
                await asyncio.shield(held.give_back())

    async def _take_driver(self) -> _HeldDriver:
        while self._drivers:
            held = self._drivers.pop()
            if not held.is_closed and held.opened >= self._usable_since():
                return held
            held.useless = True
            await held.give_back()
        with _connecting():
            connection = await self.engine.connect()
        try:
            raw = await connection.get_raw_connection()
            assert raw.driver_connection is not None
            opened: float = raw.info["opened"]
        except BaseException:
            await asyncio.shield(connection.close())
            raise
        return _HeldDriver(connection, raw.driver_connection, opened)

    def _keep_driver(self, held: _HeldDriver) -> bool:
        """Keep a connection for the next one, a few at most: taking it out of the pool costs like a query."""
        if held.is_closed or len(self._drivers) >= self.settings.database_pool_size // 4:
            return False
        self._drivers.append(held)
        return True

    def _refuse_useless(self, dbapi_connection: Any, record: Any, _proxy: Any) -> None:
        # The driver notices a server that went away; the pool then replaces the connection.
        if dbapi_connection.driver_connection.is_closed() or record.info["opened"] < self._usable_since():
            raise DisconnectionError

    def _usable_since(self) -> float:
        """Connections opened before this moment are not used again."""
        return max(self._renewed, time.monotonic() - self.settings.database_connection_max_age_seconds)

    def _is_useless(self, error: BaseException) -> bool:
        """Whether the connection is to be thrown away; then all that were opened before now are."""
        verdict = judge(error)
        if verdict is None or not verdict.discards:
            return False
        self._renewed = time.monotonic()
        return True

    def read(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A session in a transaction that only reads: always rolled back.

        :raises DatabaseUnavailable: no connection in time, or the connection was lost
        """
        return self._session(self.engine, commit=False)

    @asynccontextmanager
    async def _session(self, bind: AsyncEngine, *, commit: bool) -> AsyncGenerator[AsyncSession]:
        progress = _Progress()
        try:
            async with self._open(bind, progress, commit=commit) as session:
                yield session
        except Exception as error:
            translated = translate_error(error, undone=not progress.sent)
            if translated is None:
                raise
            raise translated from error

    @asynccontextmanager
    async def _open(
        self, bind: AsyncEngine, progress: _Progress, *, commit: bool
    ) -> AsyncGenerator[AsyncSession]:
        session = AsyncSession(bind, expire_on_commit=False, info=self.session_info)
        try:
            with _connecting():
                await session.connection()
            try:
                yield session
            except ServiceError as refusal:
                if commit and refusal.keep_changes:
                    await _commit(session, progress)
                raise
            if commit:
                await _commit(session, progress)
        except Exception as error:
            if self._is_useless(error):
                await asyncio.shield(session.invalidate())
            raise
        finally:
            if progress.done:
                await session.close()
            else:
                # The rollback must go through even while the task is being cancelled. It fails when the
                # connection was lost, also after an error of another kind.
                await asyncio.shield(session.close())

    async def ping(self) -> None:
        """One round trip; says nothing about what the server can do (:mod:`servicekit.schema_history`).

        :raises DatabaseUnavailable: when the database does not answer
        """
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def dispose(self) -> None:
        """Close all connections."""
        while self._drivers:
            await self._drivers.pop().give_back()
        await self.engine.dispose()


@dataclass(slots=True)
class _Progress:
    """How far a transaction has come.

    :ivar sent: its end may have reached the database
    :ivar done: the end is confirmed
    """

    sent: bool = False
    done: bool = False

    def send(self) -> None:
        """The end is about to be sent."""
        units.spent()
        self.sent = True


def _note_age(_dbapi_connection: Any, record: Any) -> None:
    record.info["opened"] = time.monotonic()


@contextmanager
def _connecting() -> Generator[None]:
    """Tells failures to connect apart from those of a block's own work, which may be with files."""
    try:
        yield
    except OSError as error:
        raise connection_failed(error) from error


async def _commit(session: AsyncSession, progress: _Progress) -> None:
    # By itself, so that its failure is known to come before the commit.
    await session.flush()
    progress.send()
    await session.commit()
    progress.done = True
    _run_after_commit(session)


@dataclass(slots=True)
class _HeldDriver:
    """A connection taken out of the pool for the driver's own use.

    :ivar opened: moment of :func:`time.monotonic`
    :ivar useless: not to be used again
    """

    connection: AsyncConnection
    driver: Any
    opened: float
    useless: bool = False

    @property
    def is_closed(self) -> bool:
        return self.useless or self.driver.is_closed()

    async def give_back(self) -> None:
        """Back into the pool, or away if it is of no use."""
        if self.is_closed:
            await self.connection.invalidate()
        await self.connection.close()


def after_commit(session: AsyncSession, callback: Callable[[], None]) -> None:
    """Run ``callback``, which must not block, once the transaction has committed; not when it rolls back."""
    session.sync_session.info.setdefault("after_commit", []).append(callback)


def _run_after_commit(session: AsyncSession) -> None:
    for callback in session.sync_session.info.pop("after_commit", ()):
        callback()


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


async def lock_name(session: AsyncSession, name: str) -> None:
    """Have a name alone until the end of the transaction: for what shall be there once and has no row yet.

    To be taken before rows are locked. SQLite needs nothing, as above.
    """
    if session.get_bind().dialect.name != "sqlite":
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        await session.execute(select(func.pg_advisory_xact_lock(key)))


def conflict_insert(dialect: str, table: Any) -> postgresql.Insert:
    """An insert that can say what becomes of a row whose key is taken; of both databases' words for that only
    those of the one in use are loaded.
    """
    made: postgresql.Insert = import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
    return made


async def fetch_within(session: AsyncSession, read: Read, /, *values: Any) -> Sequence[Row]:
    """The rows of a hot read as a transaction sees them."""
    connection = await session.connection()
    if connection.dialect.name == "postgresql":
        found = await connection.exec_driver_sql(read.alone, tuple(read.arguments(values)))
    else:
        found = await connection.exec_driver_sql(read.on_sqlite, read.sqlite_arguments(values))
    return cast("Sequence[Row]", found.all())


async def insert_ignore(
    session: AsyncSession, table: Table, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> int:
    """Insert what does not violate a unique constraint; the number of rows that went in.

    On PostgreSQL an insert waits for a concurrent one of the same key to commit or roll back, so exactly
    one wins.
    """
    rows = values if isinstance(values, Mapping) else list(values)
    if not rows:
        return 0
    insert = conflict_insert(session.get_bind().dialect.name, table)
    result = await session.execute(insert.values(rows).on_conflict_do_nothing())
    return cast(CursorResult[Any], result).rowcount
