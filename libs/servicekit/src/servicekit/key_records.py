"""Which master keys a database holds values of, as the database records it (D34).

Each key has a record before the first value of it is written: a process that was not given one of them does
not start. Values without an id are of the first record's key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Integer, String, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from servicekit import clock
from servicekit.database import Database, UtcTimestamp, insert_ignore
from servicekit.master_keys import KEY_ID_LENGTH, UNNAMED, MasterKeys, key_check
from servicekit.start_rules import Finding, StartRefused

FIRST = 1


class KeyRecord:
    """Mixin of the table; a database without records may still hold values of a key.

    :ivar id: `FIRST` for the key of values without an id
    :ivar key_check: a value that only this key gives, and that gives nothing of it away
    :ivar timestamp_created: since when it has been written with, or all was to be of it
    """

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key_check: Mapped[str] = mapped_column(String(64))
    timestamp_created: Mapped[datetime] = mapped_column(UtcTimestamp)

    @property
    def key_id(self) -> str:
        """The key's public name."""
        return self.key_check[:KEY_ID_LENGTH]


RecordT = TypeVar("RecordT", bound=KeyRecord)


class MasterKeyRefused(StartRefused):
    """A service must not start with these master keys."""

    def __init__(
        self, variable: str, meaning: str, example: str = "the key that the database was first used with"
    ) -> None:
        super().__init__(Finding(variable, meaning, example))


@dataclass(frozen=True)
class KeyRegistry(Generic[RecordT]):
    """The records of one service's database.

    :ivar prefix: of the service's variables
    :ivar model: the table
    :ivar further: columns of a key's record beside those of `KeyRecord`
    :ivar first: which of the keys opens what is there, where nothing is recorded; the current one if there is
        nothing. Raises `MasterKeyRefused` if none does
    :ivar needing: how many values call their key by one of these names, by column
    """

    prefix: str
    model: type[RecordT]
    further: Callable[[bytes, AsyncSession], Awaitable[dict[str, Any]]]
    first: Callable[[AsyncSession, MasterKeys], Awaitable[bytes | None]]
    needing: Callable[[Database, Sequence[str]], Awaitable[Mapping[str, int]]]

    def refused(self, meaning: str, *example: str) -> MasterKeyRefused:
        """What is told of the master key."""
        return MasterKeyRefused(f"{self.prefix}MASTER_ENCRYPTION_KEY", meaning, *example)

    async def all(self, session: AsyncSession) -> Sequence[RecordT]:
        """The records, that of the first key first."""
        statement = select(self.model).order_by(self.model.id).execution_options(populate_existing=True)
        return (await session.scalars(statement)).all()

    async def lock(self, session: AsyncSession) -> Sequence[RecordT]:
        """As `all`, held until the end of the transaction."""
        statement = select(self.model).order_by(self.model.id).with_for_update()
        return (await session.scalars(statement.execution_options(populate_existing=True))).all()

    async def examine(self, database: Database, keys: MasterKeys) -> tuple[MasterKeys, Sequence[RecordT]]:
        """Check keys against the database before anything is written with them, and record the current one.

        :return: the keys as values of this database name them, and its records
        :raises MasterKeyRefused: one that the database needs is missing
        """
        async with database.read() as session:
            records = await self.all(session)
            first = None if records else await self.first(session, keys)
        if records:
            records = await self._without_missing(database, keys, records)
        if keys.current is not None and key_check(keys.current) not in checks_of(records):
            records = await self._recorded(database, keys.current, first or keys.current)
        return named_in(records, keys), records

    async def confirm(self, database: Database, keys: MasterKeys) -> None:
        """What readiness asks: whether values of keys that this process lacks may be there by now.

        :raises MasterKeyRefused: they may
        """
        async with database.read() as session:
            missing = [each for each in await self.all(session) if keys.known(each.key_check) is None]
        if missing:
            raise self._lacking(missing[0])

    async def _without_missing(
        self, database: Database, keys: MasterKeys, records: Sequence[RecordT]
    ) -> Sequence[RecordT]:
        """The records, those of keys that nothing needs any more forgotten."""
        missing = [each for each in records if keys.known(each.key_check) is None]
        if not missing:
            return records
        if keys.current is None:
            raise self.refused("is not set, but the database was used with a key")
        check = key_check(keys.current)
        own = next((each for each in records if each.key_check == check), None)
        if own is None:
            raise self.refused("is another key than that of the database")
        for record in missing:
            if record.timestamp_created > own.timestamp_created:
                raise self._lacking(record)
            await self._forget(database, record)
        return [each for each in records if each not in missing]

    def _lacking(self, record: KeyRecord) -> MasterKeyRefused:
        return MasterKeyRefused(
            f"{self.prefix}PREVIOUS_MASTER_ENCRYPTION_KEYS",
            f"lacks the key {record.key_id}, which another process writes with",
            "that key too",
        )

    async def prefer(self, database: Database, current: bytes) -> None:
        """Record that all is to be of this key: then earlier ones may be forgotten."""
        async with database.transaction() as session:
            for record in await self.lock(session):
                if record.key_check == key_check(current):
                    record.timestamp_created = clock.now()

    async def _forget(self, database: Database, record: RecordT) -> None:
        needing = await self.needing(database, names_of(record))
        if needing:
            values = ", ".join([f"{count} of {column}" for column, count in needing.items()])
            raise MasterKeyRefused(
                f"{self.prefix}PREVIOUS_MASTER_ENCRYPTION_KEYS",
                f"lacks the key {record.key_id}, which the database still needs: {values}",
                "that key too, until `powerauth keys rotate` has left nothing of it",
            )
        async with database.transaction() as session:
            await session.execute(delete(self.model).where(self.model.id == record.id))

    async def _recorded(self, database: Database, current: bytes, first: bytes) -> Sequence[RecordT]:
        async with database.transaction() as session:
            if not await self.lock(session):
                await self._add(session, first, FIRST)
            records = await self.lock(session)
            if key_check(current) not in checks_of(records):
                await self._add(session, current, records[-1].id + 1)
            return await self.all(session)

    async def _add(self, session: AsyncSession, key: bytes, number: int) -> None:
        values = {
            "id": number,
            "key_check": key_check(key),
            "timestamp_created": clock.now(),
            **await self.further(key, session),
        }
        # Of several processes that start at the same time one adds it.
        await insert_ignore(session, self.model.__table__, values)  # type: ignore[attr-defined]


def checks_of(records: Iterable[KeyRecord]) -> set[str]:
    """The key check values of the records."""
    return {each.key_check for each in records}


def names_of(record: KeyRecord) -> list[str]:
    """What values of a key call it."""
    return [record.key_id, UNNAMED] if record.id == FIRST else [record.key_id]


def named_in(records: Sequence[KeyRecord], keys: MasterKeys) -> MasterKeys:
    """The keys as values of a database with these records name them."""
    if not records:
        return keys
    return keys.beside(records[0].key_id if records[0].id == FIRST else None)


def fitting(keys: MasterKeys, opens: Callable[[bytes], bool]) -> bytes | None:
    """The first key that opens something."""
    return next((key for key in keys if opens(key)), None)
