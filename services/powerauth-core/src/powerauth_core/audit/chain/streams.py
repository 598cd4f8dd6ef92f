"""The chains that one process writes: one for each batch in flight, so that nobody waits for another.

A batch takes a stream for its transaction. The stream moves on when the commit is confirmed, stays when the
transaction was rolled back, and ends when nobody knows: then a new one begins.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.audit.chain import repository
from powerauth_core.audit.chain.keys import FIRST_LINK, ChainKey, ChainKeys, Sealed, head_facts
from powerauth_core.audit.chain.models import AuditChain
from powerauth_core.audit.chain.repository import RegistryDamaged
from servicekit import clock
from servicekit.database import Database
from servicekit.errors import DataRefused, Unavailable
from servicekit.logs import get_logger

log = get_logger(__name__)

UPDATES_PER_CHAIN = 65_536
"""After so many batches a stream takes a new chain. Every batch leaves a dead version of the head, which a
long transaction elsewhere (a backup) keeps the database from cleaning up: this bounds how many there are."""

ROWS_PER_CHAIN = 1_000_000
_RETRY_DAMAGED = timedelta(seconds=60)
_ID_BYTES = 12


@dataclass(slots=True)
class HeadUpdate:
    """The new head of a chain, to be stored with the rows."""

    chain_id: str
    position: int
    mac: bytes
    timestamp: datetime
    seal: bytes


@dataclass(slots=True)
class Chained:
    """Rows with their places in a chain, in the order of `CHAIN_COLUMNS`; without a key they have none."""

    places: Sequence[tuple[str | None, int | None, bytes | None]]
    head: HeadUpdate | None


@dataclass(slots=True)
class Stream:
    """A chain in the hands of this process, as far as the database holds it."""

    key: ChainKey = field(repr=False)
    chain_id: str
    number: int
    opened: datetime
    last: datetime
    position: int = 0
    mac: bytes = FIRST_LINK
    updates: int = 0

    def fits(self, now: datetime) -> bool:
        """Whether rows of this moment may join: a chain stays in a month, so that it goes with it."""
        return (
            (self.opened.year, self.opened.month) == (now.year, now.month)
            and self.updates < UPDATES_PER_CHAIN
            and self.position < ROWS_PER_CHAIN
        )

    def follow(self, rows: Sequence[Sequence[Any]], now: datetime) -> Chained:
        """Places for rows behind the last one of the chain, which itself stays as it is.

        :param rows: the audited columns of each row
        """
        chain_id, position, mac, row_mac = self.chain_id, self.position, self.mac, self.key.row_mac
        places = []
        for row in rows:
            position += 1
            mac = row_mac(mac, chain_id, position, row)
            places.append((chain_id, position, mac))
        return Chained(places, HeadUpdate(chain_id, position, mac, now, self._seal(position, mac, now)))

    def move(self, head: HeadUpdate) -> None:
        """The chain goes as far as this now."""
        self.position, self.mac, self.last = head.position, head.mac, head.timestamp
        self.updates += 1

    def first_seal(self) -> bytes:
        """The seal of the head before the first row."""
        return self._seal(self.position, self.mac, self.last)

    def closed(self, now: datetime) -> bytes:
        """The seal of the head when nothing will follow."""
        return self._seal(self.position, self.mac, self.last, now)

    def _seal(self, position: int, mac: bytes, last: datetime, closed: datetime | None = None) -> bytes:
        facts = head_facts(
            self.chain_id, self.number, self.key.key_id, self.opened, last, closed, position, mac
        )
        return self.key.seal(Sealed.HEAD, *facts)


@dataclass(slots=True)
class Turn:
    """A stream during one transaction.

    :ivar now: the moment of the transaction; its rows must bear it
    :ivar sent: whether the commit may have reached the database
    """

    now: datetime
    stream: Stream | None = None
    _next: HeadUpdate | None = field(init=False, default=None)
    sent: bool = field(init=False, default=False)
    _committed: bool = field(init=False, default=False)

    @property
    def chain_id(self) -> str | None:
        """Id of the chain; None if rows are not chained."""
        return None if self.stream is None else self.stream.chain_id

    def chain(self, rows: Sequence[Sequence[Any]]) -> Chained:
        """Places for the rows of this transaction, after the last committed row of the stream.

        :param rows: the audited columns of each row
        """
        self._next = None
        if self.stream is None or not rows:
            return Chained([(None, None, None)] * len(rows), None)
        chained = self.stream.follow(rows, self.now)
        self._next = chained.head
        return chained

    def sending(self) -> None:
        """The commit is about to be sent: from now on its outcome may stay unknown."""
        self.sent = True

    def refused(self) -> None:
        """The database said that it did not commit: what was chained is as if it had never been."""
        self.sent, self._next = False, None

    def committed(self) -> None:
        """The commit is confirmed."""
        self._committed = True

    def finished(self) -> Stream | None:
        """The stream as it stands after the transaction; None if it ended."""
        stream, after = self.stream, self._next
        if stream is None or after is None or not self.sent:
            return stream
        if not self._committed:
            return None
        stream.move(after)
        return stream


class Streams:
    """The streams of this process: as many as there are transactions at the same time."""

    def __init__(self, database: Database, keys: ChainKeys | None) -> None:
        """
        :param keys: None: rows are not chained
        """
        self._database = database
        self._key = None if keys is None else keys.current
        self._keys = keys
        self._free: list[Stream] = []
        self._damaged_until: datetime | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[Turn]:
        """A stream for one transaction that begins and ends in the block.

        :raises DatabaseUnavailable: a new chain was needed and could not be opened
        """
        now = clock.now()
        stream = await self._take(now)
        turn = Turn(now, stream)
        try:
            yield turn
        finally:
            left = turn.finished()
            if left is not None:
                self._free.append(left)
            elif stream is not None:
                log.warning("audit_chain_left_open", chain=stream.chain_id)

    async def close(self) -> None:
        """Close the chains; those that cannot be closed now stay as they are."""
        while self._free:
            try:
                async with self._database.transaction() as session:
                    await _close(session, self._free[-1])
            except Unavailable as error:
                log.warning("audit_chains_left_open", chains=len(self._free), reason=str(error))
                self._free.clear()
            else:
                self._free.pop()

    async def _take(self, now: datetime) -> Stream | None:
        if self._key is None or self._keys is None:
            return None
        full = None
        if self._free:
            stream = self._free.pop()
            if stream.fits(now):
                return stream
            full = stream
        if self._damaged_until is not None and now < self._damaged_until:
            return None
        try:
            return await self._open(self._keys, self._key, now, full)
        except (RegistryDamaged, DataRefused) as error:
            # Checks go on; their rows are without a chain, which `powerauth audit verify` reports.
            log.error("audit_not_chained", reason=str(error), error=type(error).__name__)
            self._damaged_until = now + _RETRY_DAMAGED
            return None

    async def _open(self, keys: ChainKeys, key: ChainKey, now: datetime, full: Stream | None) -> Stream:
        """A new chain, registered in a transaction of its own: nobody waits for the batch behind it."""
        chain_id = secrets.token_urlsafe(_ID_BYTES)
        async with self._database.transaction() as session:
            number = await repository.register(session, keys, now)
            made = Stream(key, chain_id, number, opened=now, last=now)
            session.add(
                AuditChain(
                    chain_id=chain_id,
                    number=number,
                    key_id=key.key_id,
                    timestamp_opened=now,
                    timestamp_last=now,
                    seal=made.first_seal(),
                )
            )
            if full is not None:
                await _close(session, full)
        return made


async def _close(session: AsyncSession, stream: Stream) -> None:
    now = clock.now()
    await repository.close(session, stream.chain_id, now, stream.closed(now))
