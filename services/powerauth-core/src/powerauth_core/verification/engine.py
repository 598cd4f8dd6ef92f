"""Runs signature checks: concurrent ones share a transaction, each with its own guarantees (D9).

One batch: lock the activations (one SELECT), decide one after another per activation, write what is left of
each activation together with its audit, run the actions each in a savepoint, commit. Nobody is told "valid"
before the commit.

Most batches have nothing but checks to do. On PostgreSQL they take no locks: they read, decide, and store all
in one statement, which does nothing unless every activation is still as it was read. If not, the batch is
done again with locks.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, cast

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.models import Activation
from powerauth_core.activations.ports import WithActivationKeys, WithChanges
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.applications.ports import WithApplications
from powerauth_core.audit.chain.keys import ChainKeys
from powerauth_core.audit.chain.streams import Streams, Turn
from powerauth_core.kernel.ports import WithDatabase, WithRowMacs, WithSettings
from powerauth_core.verification import audit, blocking, metrics
from powerauth_core.verification.audit import AuditRecord
from powerauth_core.verification.jobs import EarlyEnd, LockedActivation, VerificationJob, Verified
from powerauth_core.verification.limits import AttemptLimit
from powerauth_core.verification.locking import in_savepoint
from powerauth_core.verification.optimistic import PostgresqlStatements, RowsChanged, is_refusal
from powerauth_core.verification.repeated import RepeatedAttempts
from powerauth_core.verification.repository import BatchStatements, PortableStatements
from powerauth_core.verification.samples import Samples
from powerauth_core.verification.steps import (
    EVERY_FAILURE,
    OWN_DEVICE,
    ActivationFacts,
    Counting,
    Decision,
    Outcome,
    decide,
)
from powerauth_protocol.v3.keys import ActivationKeys
from servicekit.batching import BatchFailed, MicroBatcher, Settled
from servicekit.errors import ServiceError, Unavailable

ACTIONS_PER_BATCH = 8
"""Actions run one after another while all locks of the batch are held."""


class Parts(
    WithDatabase, WithSettings, WithRowMacs, WithChanges, WithApplications, WithActivationKeys, Protocol
):
    """What checks of signatures use of a running core."""


class Verifier:
    """Front of the micro-batches of one process; every check of a signature goes through `run`.

    :ivar attempt_limit: of failures at the dmz door (D15)
    :ivar repeated: attempts that count nothing, and share rows (D15)
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._skip_locked = parts.database.dialect == "postgresql"
        self._statements: BatchStatements = (
            PostgresqlStatements(parts.row_macs) if self._skip_locked else PortableStatements(parts.row_macs)
        )
        self._plain = PostgresqlStatements(parts.row_macs) if self._skip_locked else None
        settings = parts.settings
        self._streams = Streams(parts.database, ChainKeys.of(settings.chain_secrets))
        self.attempt_limit = AttemptLimit(settings.dmz_attempts_per_activation_per_minute)
        self._counting = OWN_DEVICE if settings.only_own_device_counts else EVERY_FAILURE
        self.repeated = RepeatedAttempts(parts.database, self._streams, self._statements)
        # Checks alone take another way through the database than checks with an action: they never mix.
        self._checks = self._batcher(settings.verification_batches)
        self._actions = self._batcher(settings.verification_action_batches)

    def _batcher(self, in_flight: int) -> MicroBatcher[VerificationJob, Verified]:
        settings = self._parts.settings
        return MicroBatcher(
            self._run,
            self._run_waiting,
            max_size=settings.verification_batch_size,
            in_flight=in_flight if self._skip_locked else 1,
            patience_seconds=settings.database_lock_timeout_seconds,
            fits=_fits,
        )

    async def run(self, job: VerificationJob) -> Verified:
        """Check a signature, store the outcome, run its action and return after the commit.

        :raises ServiceError: what the action answers with; the counter step is stored all the same
        :raises Unavailable: the database cannot be reached; the attempt was not counted, or its outcome is
            unknown
        """
        address = job.address
        if address is None:
            return await self._submit(job)
        if self.attempt_limit.is_over(job.activation_id, address):
            job.over_limit = True
            async with self.attempt_limit.turn(job.activation_id, address):
                verified = await self._submit(job)
        else:
            verified = await self._submit(job)
        if verified.decision is not None and not verified.valid:
            self.attempt_limit.count_failure(job.activation_id, address)
        return verified

    async def _submit(self, job: VerificationJob) -> Verified:
        batcher = self._checks if job.action is None else self._actions
        verified = await batcher.submit(job)
        metrics.count(verified.decision)
        self.repeated.wake()
        return verified

    async def close(self) -> None:
        """Wait for the checks that were accepted."""
        await self._checks.close()
        await self._actions.close()
        await self.repeated.close()
        await self._streams.close()

    async def _run(self, jobs: Sequence[VerificationJob]) -> Sequence[Settled[Verified]]:
        # Rows that somebody else holds must not keep the others waiting.
        return await self._attempt(jobs, skip_locked=self._skip_locked)

    async def _run_waiting(self, jobs: Sequence[VerificationJob]) -> Sequence[Settled[Verified]]:
        return await self._attempt(jobs, skip_locked=False)

    async def _attempt(
        self, jobs: Sequence[VerificationJob], *, skip_locked: bool
    ) -> Sequence[Settled[Verified]]:
        turn: Turn | None = None
        try:
            async with self._streams.turn() as turn:
                return await self._in_turn(turn, jobs, skip_locked=skip_locked)
        except Unavailable:
            raise
        except Exception as error:
            if turn is not None and turn.sent:
                raise BatchFailed from error
            raise

    async def _in_turn(
        self, turn: Turn, jobs: Sequence[VerificationJob], *, skip_locked: bool
    ) -> Sequence[Settled[Verified]]:
        if self._plain is not None and (batch := self._batch(jobs, turn)).is_plain():
            with suppress(NeedsSession):
                with suppress(RowsChanged):
                    return await self._without_locks(batch, self._plain)
                again = batch.again()
                return await self._plain_transaction(again, self._plain, skip_locked=skip_locked)
        batch = self._batch(jobs, turn)
        async with self._parts.database.transaction() as session:
            await batch.perform(session, skip_locked=skip_locked)
            turn.sending()
        turn.committed()
        return batch.settled()

    def _batch(self, jobs: Sequence[VerificationJob], turn: Turn) -> _Batch:
        return _Batch(self._parts, self._statements, jobs, turn, self._counting, self.repeated.samples)

    async def _without_locks(
        self, batch: _Batch, statements: PostgresqlStatements
    ) -> Sequence[Settled[Verified]]:
        """Decide on what is read, and store that in one statement if nobody changed it meanwhile.

        :raises RowsChanged: somebody did, or is doing so; nothing is changed
        :raises NeedsSession: as `_plain_transaction`
        """
        async with self._parts.database.driver() as driver:
            await batch.perform_without_locks(driver, statements)
        batch.turn.committed()
        return batch.settled()

    async def _plain_transaction(
        self, batch: _Batch, statements: PostgresqlStatements, *, skip_locked: bool
    ) -> Sequence[Settled[Verified]]:
        """The same transaction by the driver alone: most batches need nothing above it.

        :raises NeedsSession: this one does; nothing is changed
        """
        async with self._parts.database.driver_transaction() as driver:
            await batch.perform_plain(driver, statements, skip_locked=skip_locked)
            batch.turn.sending()
        batch.turn.committed()
        return batch.settled()


class NeedsSession(Exception):
    """A batch has to do more than decide and store."""


@dataclass(slots=True)
class _Batch:
    """One transaction over several jobs."""

    parts: Parts
    statements: BatchStatements
    jobs: Sequence[VerificationJob]
    turn: Turn
    counting: Counting
    samples: Samples
    now: datetime = field(init=False)
    outcomes: list[Settled[Verified] | None] = field(init=False)
    _rows: dict[str, LockedActivation] = field(init=False, default_factory=dict)
    _facts: dict[str, ActivationFacts] = field(init=False, default_factory=dict)
    _applications: dict[str, ApplicationFacts | None] = field(init=False, default_factory=dict)
    _decided: dict[int, Decision] = field(init=False, default_factory=dict)
    _recorded: dict[int, Decision] = field(init=False, default_factory=dict)
    _prepared: dict[int, tuple[tuple[str, str], ...]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.outcomes = [None] * len(self.jobs)
        self.now = self.turn.now

    async def perform(self, session: AsyncSession, *, skip_locked: bool) -> None:
        """Run the jobs; outcomes are final with the commit."""
        self._rows = await self.statements.lock(
            session, {job.activation_id for job in self.jobs}, skip_locked=skip_locked
        )
        self._facts = {activation_id: row.facts for activation_id, row in self._rows.items()}
        cache = self.parts.application_cache
        for key in {job.application_key for job in self.jobs if job.application_key is not None}:
            self._applications[key] = await cache.by_key(session, key)
        actions = self._actions()
        for index in actions:
            await self._prepare(session, index)
        for index in range(len(self.jobs)):
            if self.outcomes[index] is None:
                self._decide(index, skip_locked=skip_locked)
        self._choose_recorded()
        if self._recorded:
            await self._store(session)
        elif (chain_id := self.turn.chain_id) is not None and not all(
            outcome is None or outcome.held for outcome in self.outcomes
        ):
            await self.statements.touch(session, chain_id)
        for index in actions:
            if index in self._decided:
                await self._act(session, index)

    def again(self) -> _Batch:
        """The same jobs from the start. What is known of their applications stays: it was read from a cache,
        which may have dropped it meanwhile, and not from the rows that changed.
        """
        made = _Batch(self.parts, self.statements, self.jobs, self.turn, self.counting, self.samples)
        made._applications = self._applications
        return made

    def is_plain(self) -> bool:
        """Whether nothing has to be read beside the activations, and no job has an action."""
        for job in self.jobs:
            if job.action is not None:
                return False
            key = job.application_key
            if key is not None and key not in self._applications:
                found = self.parts.application_cache.known(key)
                if found is None:
                    return False
                self._applications[key] = found
        return True

    async def perform_plain(
        self, driver: Any, statements: PostgresqlStatements, *, skip_locked: bool
    ) -> None:
        """`perform` for a plain batch.

        :raises NeedsSession: an activation gets blocked, which others must hear of
        """
        wanted = {job.activation_id for job in self.jobs}
        self._rows = await statements.lock_plain(driver, wanted, skip_locked=skip_locked)
        self._decide_all(skip_locked=skip_locked)
        if self._recorded:
            records = self._audit_records()
            chained = self.turn.chain([record.signature for record in records])
            await statements.store_plain(driver, self._last_decisions(), records, chained, self.now)

    async def perform_without_locks(self, driver: Any, statements: PostgresqlStatements) -> None:
        """`perform_plain` in two statements, each a transaction of its own.

        :raises RowsChanged: a row is not as it was read; nothing is changed
        :raises NeedsSession: as `perform_plain`
        """
        wanted = {job.activation_id for job in self.jobs}
        self._rows, versions = await statements.read_plain(driver, wanted)
        self._decide_all(skip_locked=False)
        if not self._recorded:
            if self.turn.chain_id is not None:
                await statements.touch_plain(driver, self.turn.chain_id)
            return
        decisions, records = self._last_decisions(), self._audit_records()
        chained = self.turn.chain([record.signature for record in records])
        self.turn.sending()
        try:
            await statements.store_unchanged(driver, decisions, records, chained, self.now, versions)
        except Exception as error:
            if is_refusal(error, driver):
                self.turn.refused()
            raise

    def _decide_all(self, *, skip_locked: bool) -> None:
        self._facts = {activation_id: row.facts for activation_id, row in self._rows.items()}
        for index in range(len(self.jobs)):
            self._decide(index, skip_locked=skip_locked)
        if any(decision.blocked for decision in self._decided.values()):
            raise NeedsSession
        self._choose_recorded()

    def _choose_recorded(self) -> None:
        """Leave out what shares a row with others, or has none: it changes nothing and writes nothing."""
        self._recorded = {
            index: decision
            for index, decision in self._decided.items()
            if not decision.proves_nothing or self._has_own_row(index, decision)
        }

    def _has_own_row(self, index: int, decision: Decision) -> bool:
        job = self.jobs[index]
        if job.own_row is None:
            unlimited = decision.outcome is Outcome.MISMATCH and not job.over_limit
            job.own_row = decision.audited and (
                unlimited
                or self.samples.is_first(self._rows[job.activation_id], job.address or "", decision, self.now)
            )
        return job.own_row

    def settled(self) -> list[Settled[Verified]]:
        """The outcomes in the order of the jobs."""
        return [outcome if outcome is not None else _lost() for outcome in self.outcomes]

    def _actions(self) -> list[int]:
        """Jobs with an action, in the order in which their further locks must be taken (D9)."""
        found = [
            (job.action.lock_key, index) for index, job in enumerate(self.jobs) if job.action is not None
        ]
        return [index for _, index in sorted(found)]

    def _visible(self, job: VerificationJob) -> LockedActivation | None:
        row = self._rows.get(job.activation_id)
        if row is None or (job.application_ids is not None and row.application_id not in job.application_ids):
            return None
        return row

    async def _prepare(self, session: AsyncSession, index: int) -> None:
        job = self.jobs[index]
        activation = self._visible(job)
        if activation is None or job.action is None:
            return
        action = job.action
        settled = await in_savepoint(session, lambda: action.prepare(session, activation))
        if settled.error is None:
            self._prepared[index] = tuple(settled.result or ())
        elif isinstance(settled.error, EarlyEnd):
            self.outcomes[index] = Settled(Verified(activation, None, settled.error.answer))
        else:
            self.outcomes[index] = Settled(error=settled.error)

    def _decide(self, index: int, *, skip_locked: bool) -> None:
        job = self.jobs[index]
        if skip_locked and job.activation_id not in self._rows:
            # Held by somebody else, or not there at all: only waiting for it tells.
            self.outcomes[index] = Settled(held=True)
            return
        activation = self._visible(job)
        if activation is None:
            self.outcomes[index] = Settled(Verified(None, None))
            return
        facts = self._facts[job.activation_id]
        try:
            attempt = job.attempt(activation, self._application_of(job))
            keys = None
            usable = facts.status is ActivationStatus.ACTIVE and facts.sound
            if usable and attempt.application in self.counting.keyed:
                keys = self._keys_of(activation)
            lookahead = self.parts.settings.signature_validation_lookahead
            decision = decide(attempt, facts, keys, lookahead, self.counting)
        except ServiceError as error:
            self.outcomes[index] = Settled(Verified(activation, None, refusal=error))
            return
        self._facts[job.activation_id] = decision.after
        self._decided[index] = decision
        self.outcomes[index] = Settled(Verified(activation, decision))

    def _application_of(self, job: VerificationJob) -> ApplicationFacts | None:
        return None if job.application_key is None else self._applications[job.application_key]

    def _keys_of(self, activation: LockedActivation) -> ActivationKeys:
        # Not kept per batch: the cache is one look-up, and most batches hold an activation once.
        return self.parts.activation_keys.keys_of(cast(Activation, activation)).factors

    async def _store(self, session: AsyncSession) -> None:
        records = self._audit_records()
        chained = self.turn.chain([record.signature for record in records])
        await self.statements.store(session, self._last_decisions(), records, chained, self.now)
        blocked = [decision for decision in self._decided.values() if decision.blocked]
        if blocked:
            await blocking.announce(self.parts.changes, session, blocked)

    def _last_decisions(self) -> list[Decision]:
        last = {self.jobs[index].activation_id: decision for index, decision in self._recorded.items()}
        return [last[key] for key in sorted(last)]

    def _audit_records(self) -> list[AuditRecord]:
        records = []
        for index, decision in self._recorded.items():
            if decision.audited:
                job = self.jobs[index]
                row, application = self._rows[job.activation_id], self._application_of(job)
                prepared = self._prepared.get(index, ())
                records.append(audit.record(job, row, application, decision, self.now, prepared))
        return records

    async def _act(self, session: AsyncSession, index: int) -> None:
        job, decision = self.jobs[index], self._decided[index]
        activation = self._rows[job.activation_id]
        assert job.action is not None
        handler = job.action.accepted if decision.valid else job.action.refused
        settled = await in_savepoint(session, lambda: handler(session, activation, decision))
        if settled.error is None:
            self.outcomes[index] = Settled(Verified(activation, decision, settled.result))
        else:
            self.outcomes[index] = Settled(error=settled.error)


def _fits(chosen: Sequence[VerificationJob], job: VerificationJob) -> bool:
    """At most one action per activation in a batch, since it may change what the next check has to see."""
    if job.action is None:
        return not any(other.action is not None and other.key == job.key for other in chosen)
    if any(other.key == job.key for other in chosen):
        return False
    return sum(other.action is not None for other in chosen) < ACTIONS_PER_BATCH


def _lost() -> Settled[Verified]:
    return Settled(error=RuntimeError("a verification was left without an outcome"))
