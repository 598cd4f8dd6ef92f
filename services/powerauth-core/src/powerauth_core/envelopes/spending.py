"""Envelopes are accepted once, and only while their temporary key is there: those that come at the same time
are remembered by one statement (PostgreSQL).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from powerauth_core.kernel.errors import InvalidRequest, TemporaryKeyMissing
from powerauth_core.kernel.ports import WithDatabase, WithSettings
from powerauth_core.replay import service as replay
from powerauth_core.replay.rules import Once
from powerauth_core.temporary_keys import repository as temporary_keys
from servicekit import clock
from servicekit.additions import json_rows
from servicekit.batching import MicroBatcher, Settled, none_twice
from servicekit.errors import ServiceError

# In the order of their values, so that two batches never wait for each other crosswise.
SPEND = """WITH asked AS MATERIALIZED (
    SELECT v->>0 AS key_id, v->>1 AS value, (v->>2)::int AS type, (v->>3)::timestamp AS expires, number
    FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS q(v, number)
), found AS MATERIALIZED (
    SELECT q.number, q.value, q.type, q.expires FROM asked q
    WHERE q.key_id IS NULL
        OR EXISTS (SELECT FROM pa_temporary_key k WHERE k.id = q.key_id AND k.timestamp_expires >= $2
            LIMIT 1 OFFSET 0)
), remembered AS (
    INSERT INTO pa_unique_value (unique_value, type, timestamp_expires)
    SELECT value, type, expires FROM found WHERE value IS NOT NULL ORDER BY value
    ON CONFLICT (unique_value) DO NOTHING RETURNING unique_value
)
SELECT f.number IS NOT NULL, q.value IS NULL OR r.unique_value IS NOT NULL
FROM asked q LEFT JOIN found f ON f.number = q.number LEFT JOIN remembered r ON r.unique_value = f.value
ORDER BY q.number"""


class Parts(WithDatabase, WithSettings, Protocol):
    """What spending uses of a running core."""


# A value, never changed. Not frozen: that makes it five times as dear.
@dataclass(slots=True)
class Spent:
    """An envelope that was verified.

    :ivar key_id: of the temporary key that it was encrypted for; None: a long-term key
    :ivar once: what makes it unique; None: it is not remembered
    """

    key_id: str | None
    once: Once | None

    @property
    def key(self) -> str:
        """Equal envelopes wait for each other."""
        return "" if self.once is None else self.once.value


@dataclass(slots=True)
class Unspent:
    """A verified envelope that is still to be remembered: with what comes of it, or before anything does."""

    envelope: Spent
    _spending: EnvelopeSpending = field(repr=False)
    _is_spent: bool = False

    def is_for(self, key_id: str | None) -> bool:
        """Whether who makes sure that this temporary key is there has made sure of its own."""
        return self.envelope.key_id in (None, key_id)

    @property
    def once(self) -> Once | None:
        """What is to be stored with something else; None: nothing, or it is."""
        return None if self._is_spent else self.envelope.once

    def spent(self) -> None:
        """It was stored with something else."""
        self._is_spent = True

    async def spend(self) -> None:
        """Remember it, unless it is; raises as `EnvelopeSpending.spend`."""
        if not self._is_spent:
            self._is_spent = True
            await self._spending.spend(self.envelope)


class EnvelopeSpending:
    """Front of the batches of one process."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        settings = parts.settings
        on_postgresql = parts.database.dialect == "postgresql"
        self._batcher: MicroBatcher[Spent, None] = MicroBatcher(
            self._by_driver if on_postgresql else self._by_session,
            max_size=settings.verification_batch_size,
            in_flight=settings.verification_batches if on_postgresql else 1,
            # The same envelope a second time waits for the outcome of the first.
            joining=none_twice(lambda envelope: envelope.once and envelope.once.value),
        )

    async def spend(self, envelope: Spent) -> None:
        """Remember an envelope and return after the commit.

        :raises TemporaryKeyMissing: the temporary key has gone
        :raises InvalidRequest: accepted before
        :raises Unavailable: the database cannot be reached; the envelope may be spent
        """
        await self._batcher.submit(envelope)

    async def close(self) -> None:
        """Wait for the envelopes that were accepted."""
        await self._batcher.close()

    async def _by_driver(self, envelopes: Sequence[Spent]) -> Sequence[Settled[None]]:
        rows = json_rows([_row(envelope) for envelope in envelopes])
        async with self._database.driver() as driver:
            found = await driver.fetch(SPEND, rows, clock.now())
        return [_settled(key_stands, is_new) for key_stands, is_new in found]

    async def _by_session(self, envelopes: Sequence[Spent]) -> Sequence[Settled[None]]:
        settled: list[Settled[None]] = []
        async with self._database.transaction() as session:
            for envelope in envelopes:
                key_id, once = envelope.key_id, envelope.once
                stands = key_id is None or await temporary_keys.is_usable(session, key_id, clock.now())
                is_new = stands and (once is None or await replay.store(session, once))
                settled.append(_settled(stands, is_new))
        return settled


def _row(envelope: Spent) -> tuple[Any, ...]:
    return (envelope.key_id, *(envelope.once.row if envelope.once is not None else (None,) * 3))


def _settled(key_stands: bool, is_new: bool) -> Settled[None]:
    error: ServiceError | None = None
    if not key_stands:
        error = TemporaryKeyMissing()
    elif not is_new:
        error = InvalidRequest()
    return Settled(error=error)
