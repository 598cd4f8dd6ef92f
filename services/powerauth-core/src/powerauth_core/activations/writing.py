"""Writes changes of activations by the driver: those that come together go together, each with all that is
kept of it, in one statement (design §8).

A new temporary key goes along: one statement more costs a process more than what is in it.

It writes what was read and decided without a lock, and only if that still holds. Who is told that it does not
takes the way through a session, which waits and decides anew; on SQLite that is the only way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakValueDictionary

from powerauth_core.activations import statements
from powerauth_core.activations.history import keep_history
from powerauth_core.activations.stored import ActivationRow, FoundActivation
from powerauth_core.kernel.changes import ActivationChanged
from powerauth_core.kernel.optimistic import ANOTHER_NOW, PATIENCE_MS
from powerauth_core.kernel.ports import WithDatabase, WithListeners, WithRowMacs, WithSettings
from powerauth_core.replay.rules import Once
from servicekit import tracing
from servicekit.additions import Additions, Target
from servicekit.batching import MicroBatcher, Settled, none_twice
from servicekit.database_errors import sqlstate_of
from servicekit.reads import Read


class Parts(WithDatabase, WithSettings, WithRowMacs, WithListeners, Protocol):
    """What writing uses of a running core."""


@dataclass(slots=True)
class Write:
    """A change on its way, after which nobody acts on what belongs to the activation (`kernel.changes`).

    :ivar written: a new activation, or one that was read and has its new values
    :ivar once: what must not have been accepted before
    :ivar span: what it is a part of
    """

    written: ActivationRow | FoundActivation
    change: ActivationChanged
    once: Sequence[Once] = ()
    span: tracing.Span | None = field(default_factory=tracing.current.get, repr=False)

    @property
    def key(self) -> str:
        """Changes of one activation go one after another."""
        return self.change.activation_id


@dataclass(slots=True)
class Along:
    """A new row that goes along.

    :ivar key: of the row
    """

    target: Target
    key: str
    row: Sequence[Any] = field(repr=False)


class ActivationWriter:
    """Front of the batches of one process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        settings = parts.settings
        self._batcher: MicroBatcher[Write | Along, bool] = MicroBatcher(
            self._write,
            max_size=settings.verification_batch_size,
            in_flight=settings.verification_batches,
            # Of two that were decided on the same state the second one fails, and would undo the first.
            joining=none_twice(lambda job: job.key),
        )
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def writes(self) -> bool:
        """Whether this database is written by the driver."""
        return self._parts.database.dialect == "postgresql" and self._parts.row_macs.knows_binding

    def turn(self, code: str) -> asyncio.Lock:
        """Of those that read the activation of a code to change it: who has waited reads what the one before
        wrote, and undoes no batch by a write that comes too late.
        """
        return self._turns.setdefault(code, asyncio.Lock())

    async def find(self, activation_id: str) -> FoundActivation | None:
        """The activation as it is now; None if there is none, or somebody else has written its row."""
        return await self.find_by(statements.FIND, activation_id)

    async def find_by(self, read: Read, *arguments: object) -> FoundActivation | None:
        """The same by a read of what `statements.SELECTED` names."""
        rows = await self._parts.database.fetch(read, *arguments)
        return statements.found_activation(rows[0], self._parts.row_macs) if rows else None

    async def write(self, write: Write) -> bool:
        """Write a change and return after the commit.

        :return: False if it is not as it was when it was read, and nothing is written
        :raises Unavailable: the database cannot be reached, or its outcome is unknown
        """
        await self._learn(write.change.application_id)
        return await self._batcher.submit(write)

    async def add(self, along: Along) -> bool:
        """Insert a row, if this database is written by the driver, and return after the commit.

        :return: False if it has to be inserted through a session: what it refers to is held by somebody
        :raises Unavailable: as `write`
        """
        return self._parts.database.dialect == "postgresql" and await self._batcher.submit(along)

    async def close(self) -> None:
        """Wait for the changes that were accepted."""
        await self._batcher.close()

    async def _write(self, jobs: Sequence[Write | Along]) -> Sequence[Settled[bool]]:
        additions = Additions(self._parts.database)
        writes = [job for job in jobs if isinstance(job, Write)]
        for write in writes:
            keep_history(additions, write.change)
            with tracing.within(write.span):
                self._parts.listeners.keep_activation_change(additions, write.change)
        # After them, so that few statements differ.
        for along in jobs:
            if isinstance(along, Along):
                additions.add(along.target, along.row)
        if await self._execute(writes, additions):
            additions.committed()
            return [Settled(True)] * len(jobs)
        if len(jobs) > 1:
            raise _AnotherNow  # they are tried one by one
        return [Settled(False)]

    async def _learn(self, application_id: str) -> None:
        subscriptions = self._parts.listeners.subscriptions
        if not subscriptions.knows([application_id]):
            async with self._parts.database.read() as session:
                await subscriptions.learn(session, [application_id])

    async def _execute(self, writes: Sequence[Write], additions: Additions) -> bool:
        macs = self._parts.row_macs
        each = [write.written for write in writes]
        new = [statements.new_row(one, macs) for one in each if isinstance(one, ActivationRow)]
        changed = [statements.changed_row(one, macs) for one in each if isinstance(one, FoundActivation)]
        once = [each for write in writes for each in write.once]
        statement, arguments = statements.write(new, changed, once, additions, PATIENCE_MS)
        async with self._parts.database.driver() as driver:
            try:
                row = await driver.fetchrow(statement, *arguments)
            except Exception as error:
                if sqlstate_of(error) in _NOT_NOW:
                    return False
                raise
        additions.take(row[1])
        return True


_NOT_NOW = ANOTHER_NOW | {"23505"}
"""The last: a violated unique constraint."""


class _AnotherNow(Exception):
    """Not all of a batch is as it was when it was read."""
