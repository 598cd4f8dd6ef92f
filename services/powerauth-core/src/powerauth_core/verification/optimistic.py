"""The way of checks alone on PostgreSQL, without locks: read, decide, and write in one statement that does
nothing unless every activation is still as it was read.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.audit.chain.streams import Turn
from powerauth_core.verification.jobs import LockedActivation
from powerauth_core.verification.statements import LEAVE_BEHIND, READ, TOUCH, activations, left_behind
from powerauth_core.verification.store import Left
from servicekit.batching import Settled
from servicekit.database import Database
from servicekit.database_errors import judge
from servicekit.row_macs import RowMacs

PATIENCE_MS = 100
"""How long a batch that holds no locks waits for a row that somebody else changes."""
_CHANGED = (asyncpg.DivisionByZeroError, asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)


class OptimisticStore:
    """`Store` of batches that nobody else has to hear of; each statement is a transaction of its own."""

    def __init__(self, database: Database, macs: RowMacs) -> None:
        self._database = database
        self._macs = macs

    @asynccontextmanager
    async def open(self, turn: Turn, activation_ids: Collection[str]) -> AsyncGenerator[_Read]:
        """See `Store.open`."""
        async with self._database.driver() as driver:
            rows = await driver.fetch(READ, list(activation_ids))
            versions = {row["activation_id"]: row["row_version"] for row in rows}
            yield _Read(driver, turn, self._macs, versions, activations(rows, self._macs))


@dataclass(slots=True)
class _Read:
    """`Held` by nobody.

    :ivar versions: of the rows that were read, by id
    """

    driver: Any
    turn: Turn
    macs: RowMacs
    versions: dict[str, int]
    rows: dict[str, LockedActivation]
    skipped: Collection[str] = ()

    async def write(self, left: Left) -> bool:
        """See `Held.write`; False if a row is not as it was read, somebody is changing it, or others have to
        hear of this.
        """
        if left.blocked:
            return False
        if not left:
            if self.turn.chain_id is not None:
                await self.driver.execute(f"{TOUCH}$1", self.turn.chain_id)
            return True
        values = left_behind(left, self.turn, self.macs, self.versions, PATIENCE_MS)
        self.turn.sending()
        try:
            await self.driver.execute(LEAVE_BEHIND, *values)
        except _CHANGED:
            self.turn.refused()
            return False
        except Exception as error:
            if self._is_refusal(error):
                self.turn.refused()
            raise
        return True

    async def step(self, work: Callable[[AsyncSession], Awaitable[Any]]) -> Settled[Any]:
        """There are no locks that an action could rely on."""
        raise NotImplementedError

    def _is_refusal(self, error: Exception) -> bool:
        """Whether the statement is certainly undone."""
        if isinstance(error, asyncpg.PostgresError):
            verdict = judge(error)
            return verdict is not None and verdict.certain
        # The driver's own complaint about a value, before anything was sent.
        return isinstance(error, asyncpg.InterfaceError) and not self.driver.is_closed()
