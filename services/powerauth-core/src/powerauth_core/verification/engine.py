"""Runs signature checks: concurrent ones share a transaction, each with its own guarantees (D9).

One batch: find the activations, decide one after another per activation, write what is left of each
activation together with its audit, do the actions, each of which fails for itself, commit. Nobody is told
"valid" before the commit.

Most batches have nothing to do but checks, and actions that plan. On PostgreSQL they take no locks; when a
row changes meanwhile, or others have to hear of what a check does, the batch is done again with locks.
Actions that need a session, each under a savepoint of its own, have batches of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from powerauth_core.activations.ports import WithActivationKeys, WithChanges
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.applications.ports import WithApplications
from powerauth_core.audit.chain.keys import ChainKeys
from powerauth_core.audit.chain.streams import Streams, Turn
from powerauth_core.kernel.ports import WithDatabase, WithRowMacs, WithSettings
from powerauth_core.verification.batch import Batch
from powerauth_core.verification.jobs import (
    LockedActivation,
    Outcome,
    PlannedAction,
    VerificationJob,
    Verified,
)
from powerauth_core.verification.limits import AttemptLimit
from powerauth_core.verification.locking import LockingStore
from powerauth_core.verification.optimistic import OptimisticStore
from powerauth_core.verification.planned import Records
from powerauth_core.verification.repeated import RepeatedAttempts
from powerauth_core.verification.steps import Means, every_failure, of_own_device
from powerauth_core.verification.store import Store
from powerauth_protocol.groups import FactorKeys
from servicekit import metrics
from servicekit.batching import BatchFailed, MicroBatcher, Settled
from servicekit.errors import Unavailable

ACTIONS_PER_BATCH = 8
"""Actions that need a session run one after another while all locks of the batch are held."""
_UNKNOWN_ACTIVATION = "activation_unknown"

# What an operator sets alarms on (D15).
_checks = metrics.counter(
    "powerauth_signature_checks",
    "Signature checks by outcome",
    {"outcome": (*Outcome, _UNKNOWN_ACTIVATION)},
)
_blocked = metrics.counter(
    "powerauth_activations_blocked_by_failures", "Activations blocked by failed attempts"
)
_by_outcome: dict[Outcome | None, Callable[[float], None]] = {}


class Parts(
    WithDatabase, WithSettings, WithRowMacs, WithChanges, WithApplications, WithActivationKeys, Protocol
):
    """What checks of signatures use of a running core."""

    @property
    def chain_keys(self) -> ChainKeys | None: ...


@dataclass(frozen=True, slots=True)
class Stores:
    """The ways through the database; a batch goes the first one that can write it.

    :ivar checks: of batches of checks and actions that plan
    :ivar actions: of batches with actions that need a session
    :ivar apart: of jobs whose row somebody else holds: it waits
    """

    checks: tuple[Store, ...]
    actions: tuple[Store, ...]
    apart: Store

    @classmethod
    def of(cls, parts: Parts, records: Records) -> Stores:
        """Those of this database.

        :param records: of actions that plan
        """
        database, macs, changes = parts.database, parts.row_macs, parts.changes
        waiting = LockingStore(database, macs, changes, records)
        if database.dialect == "sqlite":
            return cls((waiting,), (waiting,), waiting)
        # Rows that somebody else holds must not keep the others waiting.
        skipping = LockingStore(database, macs, changes, records, waits=False)
        return cls((OptimisticStore(database, macs, records), skipping), (skipping,), waiting)


class Verifier:
    """Front of the micro-batches of one process; every check of a signature goes through `run`.

    :ivar attempt_limit: of failures at the dmz door (D15)
    :ivar repeated: attempts that count nothing, and share rows (D15)
    """

    def __init__(self, parts: Parts, stores: Stores) -> None:
        self._parts = parts
        settings = parts.settings
        self._means = Means(
            self._keys_of,
            settings.signature_validation_lookahead,
            of_own_device if settings.only_own_device_counts else every_failure,
        )
        self._streams = Streams(parts.database, parts.chain_keys)
        self.attempt_limit = AttemptLimit(settings.dmz_attempts_per_activation_per_minute)
        self.repeated = RepeatedAttempts(self._streams, stores.apart)
        # The two take other ways through the database: they never mix.
        self._checks = self._batcher(stores.checks, stores.apart, settings.verification_batches)
        self._actions = self._batcher(stores.actions, stores.apart, settings.verification_action_batches)

    def _batcher(
        self, stores: Sequence[Store], apart: Store, in_flight: int
    ) -> MicroBatcher[VerificationJob, Verified]:
        settings = self._parts.settings
        return MicroBatcher(
            partial(self._perform, stores),
            partial(self._perform, (apart,)),
            max_size=settings.verification_batch_size,
            in_flight=1 if self._parts.database.dialect == "sqlite" else in_flight,
            patience_seconds=settings.database_lock_timeout_seconds,
            joining=_Together,
        )

    async def run(self, job: VerificationJob) -> Verified:
        """Check a signature, store the outcome, run its action and return after the commit.

        :raises ServiceError: what the action answers with; the counter step is stored all the same
        :raises Unavailable: the database cannot be reached; the attempt was not counted, or its outcome is
            unknown
        """
        address = job.address
        if address is None:
            return await self._batcher_of(job).submit(job)
        if self.attempt_limit.is_over(job.activation_id, address):
            job.over_limit = True
            async with self.attempt_limit.turn(job.activation_id, address):
                verified = await self._batcher_of(job).submit(job)
        else:
            verified = await self._batcher_of(job).submit(job)
        if verified.decision is not None and not verified.valid:
            self.attempt_limit.count_failure(job.activation_id, address)
        return verified

    def _batcher_of(self, job: VerificationJob) -> MicroBatcher[VerificationJob, Verified]:
        return self._actions if _needs_session(job) else self._checks

    async def close(self) -> None:
        """Wait for the checks that were accepted."""
        await self._checks.close()
        await self._actions.close()
        await self.repeated.close()
        await self._streams.close()

    async def _perform(
        self, stores: Sequence[Store], jobs: Sequence[VerificationJob]
    ) -> Sequence[Settled[Verified]]:
        applications = await self._applications_of(jobs)
        turn: Turn | None = None
        try:
            async with self._streams.turn() as turn:
                return await self._in_turn(turn, stores, jobs, applications)
        except Unavailable:
            raise
        except Exception as error:
            if turn is not None and turn.sent:
                raise BatchFailed from error
            raise

    async def _in_turn(
        self,
        turn: Turn,
        stores: Sequence[Store],
        jobs: Sequence[VerificationJob],
        applications: dict[str, ApplicationFacts | None],
    ) -> Sequence[Settled[Verified]]:
        # An action is alone with its activation.
        wanted = {job.activation_id: job.record_id for job in jobs}
        for store in stores:
            async with store.open(turn, wanted) as held:
                batch = Batch(held, jobs, applications, turn, self._means, self.repeated.samples)
                written = await batch.perform()
            if written:
                turn.committed()
                _count([each.result for each in batch.outcomes.values() if each.result is not None])
                return [batch.outcomes[index] for index in range(len(jobs))]
            turn.refused()
        raise RuntimeError("no store took the batch")

    async def _applications_of(self, jobs: Sequence[VerificationJob]) -> dict[str, ApplicationFacts | None]:
        cache = self._parts.application_cache
        keys = {job.application_key for job in jobs if job.application_key is not None}
        found = {key: cache.known(key) for key in keys}
        missing = [key for key, facts in found.items() if facts is None]
        if missing:
            async with self._parts.database.read() as session:
                for key in missing:
                    found[key] = await cache.by_key(session, key)
        return found

    def _keys_of(self, activation: LockedActivation) -> FactorKeys:
        # Not kept per batch: the cache is one look-up, and most batches hold an activation once.
        return self._parts.activation_keys.keys_of(activation).factors


def _needs_session(job: VerificationJob) -> bool:
    return job.action is not None and not isinstance(job.action, PlannedAction)


def _count(checks: Iterable[Verified]) -> None:
    """Count the checks of a batch; one without a decision stands for an unknown activation."""
    decisions = [check.decision for check in checks]
    outcomes = Counter([None if decision is None else decision.outcome for decision in decisions])
    for outcome, number in outcomes.items():
        child = _by_outcome.get(outcome)
        if child is None:
            child = _by_outcome[outcome] = _checks.labels(outcome or _UNKNOWN_ACTIVATION).inc
        child(number)
    blocked = sum([decision is not None and decision.blocked for decision in decisions])
    if blocked:
        _blocked.inc(blocked)


class _Together:
    """Which checks share a batch: an action is alone with its activation, since it may change what the next
    check of it has to see.
    """

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._acting: set[str] = set()

    def __call__(self, job: VerificationJob) -> bool:
        """Whether a check may join."""
        key = job.activation_id
        if key in self._acting or (job.action is not None and not self._may_act(job)):
            return False
        self._keys.add(key)
        if job.action is not None:
            self._acting.add(key)
        return True

    def _may_act(self, job: VerificationJob) -> bool:
        return job.activation_id not in self._keys and (
            len(self._acting) < ACTIONS_PER_BATCH or not _needs_session(job)
        )
