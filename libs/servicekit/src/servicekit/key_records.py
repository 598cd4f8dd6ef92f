"""Which master keys a database holds values of, as the database records it (D34).

Each key has a record before the first value of it is written: a process that was not given one of them does
not start. Values without an id are of the first record's key. That record is never deleted: once nothing is
of its key it is *retired*, so that a value without an id that turns up later (from a backup, from a process
that went on too long) opens again as soon as the key is given again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Integer, String, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from servicekit import clock
from servicekit.database import Database, UtcTimestamp, insert_ignore
from servicekit.master_keys import KEY_ID_LENGTH, UNNAMED, MasterKeys, key_check
from servicekit.start_rules import Finding, StartRefused

FIRST = 1
RETIRED = 0
NOTHING_LEFT = datetime(1970, 1, 1)
"""In place of since when a key has been written with: a rotation has left nothing of it."""


class KeyRecord:
    """Mixin of the table; a database without records may still hold values of a key.

    :ivar id: 1 (`FIRST`) for the key of values without an id, 0 (`RETIRED`) once nothing is of that key
    :ivar key_check: a value that only this key gives, and that gives nothing of it away
    :ivar timestamp_created: since when it has been written with, or all was to be of it; the beginning of
        1970 (`NOTHING_LEFT`) once a rotation has left nothing of it
    """

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key_check: Mapped[str] = mapped_column(String(64))
    timestamp_created: Mapped[datetime] = mapped_column(UtcTimestamp)

    @property
    def key_id(self) -> str:
        """The key's public name."""
        return self.key_check[:KEY_ID_LENGTH]

    @property
    def live(self) -> bool:
        """Whether values of the key are expected, so that everybody has to know it."""
        return self.id != RETIRED


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
    :ivar count: how many values there are of each key, by column and what they call it; reads every table
    """

    prefix: str
    model: type[RecordT]
    further: Callable[[bytes, AsyncSession], Awaitable[dict[str, Any]]]
    first: Callable[[AsyncSession, MasterKeys], Awaitable[bytes | None]]
    count: Callable[[Database], Awaitable[Mapping[str, Counter[str]]]]

    def refused(self, meaning: str, *example: str) -> MasterKeyRefused:
        """What is told of the master key."""
        return MasterKeyRefused(f"{self.prefix}MASTER_ENCRYPTION_KEY", meaning, *example)

    async def all(self, session: AsyncSession) -> Sequence[RecordT]:
        """The records, that of the first key first, the newest last."""
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
            await self._forget_missing(database, keys, records)
        if keys.current is not None:
            records = await self._recorded(database, keys, first or keys.current)
        for record in _missing(keys, records):  # of a process that started meanwhile
            raise self._lacking(record)
        return named_in(records, keys), records

    async def confirm(self, database: Database, keys: MasterKeys) -> None:
        """What readiness asks: whether values of keys that this process lacks may be there by now, and
        whether those that it writes are still expected.

        :raises MasterKeyRefused: the former may, or the latter are not
        """
        async with database.read() as session:
            records = live(await self.all(session))
        missing = _missing(keys, records)
        if missing:
            raise self._lacking(missing[0])
        if keys.current is not None and key_check(keys.current) not in checks_of(records):
            raise self.refused("was exchanged for another one, and another process has forgotten it")

    async def _forget_missing(self, database: Database, keys: MasterKeys, records: Sequence[RecordT]) -> None:
        missing = _missing(keys, records)
        if not missing:
            return
        if keys.current is None:
            raise self.refused("is not set, but the database was used with a key")
        own = _of(key_check(keys.current), live(records))
        if own is None:
            raise self.refused("is another key than that of the database")
        for record in missing:
            if record.timestamp_created > own.timestamp_created:
                raise self._lacking(record)
            await self._forget(database, record)

    def _lacking(self, record: KeyRecord) -> MasterKeyRefused:
        return MasterKeyRefused(
            f"{self.prefix}PREVIOUS_MASTER_ENCRYPTION_KEYS",
            f"lacks the key {record.key_id}, which another process writes with",
            "that key too",
        )

    async def prefer(self, database: Database, current: bytes) -> None:
        """Record that all is to be of this key: then earlier ones may be forgotten."""
        async with database.transaction() as session:
            own = _of(key_check(current), await self.lock(session))
            if own is not None:
                own.timestamp_created = clock.now()

    async def told_left(self, database: Database, current: bytes) -> Mapping[str, int]:
        """Count what is left of other keys than the current one, and record of which of them nothing is: who
        starts without those forgets them. By key id.
        """
        counts = await self.count(database)
        left: dict[str, int] = {}
        async with database.transaction() as session:
            for record in live(await self.lock(session)):
                if record.key_check != key_check(current):
                    names = names_of(record)
                    left[record.key_id] = sum(each[name] for each in counts.values() for name in names)
                    if not left[record.key_id]:
                        record.timestamp_created = NOTHING_LEFT
        return left

    async def _forget(self, database: Database, record: RecordT) -> None:
        async with database.transaction() as session:
            here = next(
                (each for each in await self.lock(session) if each.key_check == record.key_check), None
            )
            if here is None or not here.live:
                return  # somebody else has forgotten it
            if here.timestamp_created != NOTHING_LEFT:
                raise MasterKeyRefused(
                    f"{self.prefix}PREVIOUS_MASTER_ENCRYPTION_KEYS",
                    f"lacks the key {record.key_id}, which the database still needs",
                    "that key too, until `powerauth keys rotate` has said that nothing is left of it",
                )
            if here.id == FIRST:
                here.id = RETIRED
            else:
                await session.delete(here)

    async def _recorded(self, database: Database, keys: MasterKeys, first: bytes) -> Sequence[RecordT]:
        """The records, that of the current key among them as one that is written with."""
        assert keys.current is not None
        async with database.read() as session:
            records = await self.all(session)
        own = _of(key_check(keys.current), records)
        if own is not None and own.live and own.timestamp_created != NOTHING_LEFT:
            return records
        async with database.transaction() as session:
            if not await self.lock(session):
                await self._add(session, first, FIRST)
            records = await self.lock(session)
            if _missing(keys, records):  # of a process that started at the same time
                raise self.refused("is another key than that of the database")
            await self._begin(session, keys.current, records)
            return await self.all(session)

    async def _begin(self, session: AsyncSession, current: bytes, records: Sequence[RecordT]) -> None:
        own = _of(key_check(current), records)
        if own is None:
            await self._add(session, current, records[-1].id + 1)
            return
        own.timestamp_created = clock.now()
        if not own.live:
            for name, value in (await self.further(current, session)).items():
                setattr(own, name, value)
            own.id = FIRST
        await session.flush()

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


def live(records: Iterable[RecordT]) -> list[RecordT]:
    """Those of the keys that everybody has to know."""
    return [each for each in records if each.live]


def _missing(keys: MasterKeys, records: Iterable[RecordT]) -> list[RecordT]:
    return [each for each in live(records) if keys.known(each.key_check) is None]


def _of(check: str, records: Iterable[RecordT]) -> RecordT | None:
    return next((each for each in records if each.key_check == check), None)


def names_of(record: KeyRecord) -> list[str]:
    """What values of a key call it."""
    return [record.key_id, UNNAMED] if record.id == FIRST else [record.key_id]


def named_in(records: Sequence[KeyRecord], keys: MasterKeys) -> MasterKeys:
    """The keys as values of a database with these records name them."""
    if not records:
        return keys
    return keys.beside(records[0].key_id if records[0].id in (RETIRED, FIRST) else None)


def fitting(keys: MasterKeys, opens: Callable[[bytes], bool]) -> bytes | None:
    """The first key that opens something."""
    return next((key for key in keys if opens(key)), None)
