"""One batch: several checks, decided one after another on the same view of their activations (D9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from powerauth_core.activations.models import Activation
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.audit.chain.streams import Turn
from powerauth_core.verification import audit
from powerauth_core.verification.audit import AuditRecord
from powerauth_core.verification.jobs import (
    Decision,
    EarlyEnd,
    LockedActivation,
    Outcome,
    PlannedAction,
    VerificationJob,
    Verified,
)
from powerauth_core.verification.samples import Samples
from powerauth_core.verification.steps import Means, decide
from powerauth_core.verification.store import Acting, Held, Left
from servicekit.batching import Settled
from servicekit.errors import ServiceError
from servicekit.row_macs import RowKeyUnknown


class Batch:
    """Jobs on their way through one store.

    :ivar outcomes: by index of the job; they are final with the commit
    """

    def __init__(
        self,
        held: Held,
        jobs: Sequence[VerificationJob],
        applications: Mapping[str, ApplicationFacts | None],
        turn: Turn,
        means: Means,
        samples: Samples,
    ) -> None:
        """
        :param applications: what is known of the application keys
        """
        self.outcomes: dict[int, Settled[Verified]] = {}
        self._held = held
        self._jobs = jobs
        self._applications = applications
        self._turn = turn
        self._means = means
        self._samples = samples
        self._decided: dict[int, Decision] = {}
        self._prepared: dict[int, Sequence[tuple[str, str]]] = {}

    async def perform(self) -> bool:
        """Decide, write what is left, and do the actions.

        :return: False if the store cannot do it now, and nothing is written
        """
        actions = self._actions()
        for index in actions:
            await self._prepare(index)
        for index in range(len(self._jobs)):
            if index not in self.outcomes:
                self._decide(index)
        if all(outcome.held for outcome in self.outcomes.values()):
            return True  # nobody is answered
        decided = [index for index in actions if index in self._decided]
        acting = [self._acting(index) for index in decided]
        settled = await self._held.write(self._left(), acting)
        if settled is None:
            return False
        for index, each, outcome in zip(decided, acting, settled, strict=True):
            self.outcomes[index] = (
                Settled(Verified(each.activation, each.decision, outcome.result))
                if outcome.error is None
                else Settled(error=outcome.error)
            )
        return True

    def _actions(self) -> list[int]:
        """Jobs with an action, in the order in which their further locks must be taken (D9)."""
        found = [
            (job.action.lock_key, index) for index, job in enumerate(self._jobs) if job.action is not None
        ]
        return [index for _, index in sorted(found)]

    async def _prepare(self, index: int) -> None:
        job = self._jobs[index]
        activation, action = self._visible(job), job.action
        if activation is None or action is None or isinstance(action, PlannedAction) or activation.unjudged:
            return
        settled = await self._held.prepare(action, activation)
        if settled.error is None:
            self._prepared[index] = tuple(settled.result or ())
        elif isinstance(settled.error, EarlyEnd):
            self.outcomes[index] = Settled(Verified(activation, None, settled.error.answer))
        else:
            self.outcomes[index] = Settled(error=settled.error)

    def _decide(self, index: int) -> None:
        job = self._jobs[index]
        if job.activation_id in self._held.skipped:
            self.outcomes[index] = Settled(held=True)
            return
        activation = self._visible(job)
        if activation is not None and activation.unjudged:
            self.outcomes[index] = Settled(error=RowKeyUnknown(Activation.__tablename__))
            return
        try:
            decision = decide(job, activation, self._application_of(job), self._means)
        except ServiceError as error:
            self.outcomes[index] = Settled(Verified(activation, None, refusal=error))
            return
        if activation is not None and decision is not None:
            activation.facts = decision.after
            self._decided[index] = decision
        self.outcomes[index] = Settled(Verified(activation, decision))

    def _application_of(self, job: VerificationJob) -> ApplicationFacts | None:
        return None if job.application_key is None else self._applications[job.application_key]

    def _left(self) -> Left:
        """What shares a row with others, or has none, is left out: it changes nothing and writes nothing."""
        recorded = {
            index: decision
            for index, decision in self._decided.items()
            if not decision.proves_nothing or self._has_own_row(index, decision)
        }
        last = {decision.after.activation_id: decision for decision in recorded.values()}
        records = [self._record(*each) for each in recorded.items() if each[1].audited]
        return Left(
            decisions=[last[activation_id] for activation_id in sorted(last)],
            records=records,
            chained=self._turn.chain([record.signature for record in records]),
            blocked=[decision for decision in recorded.values() if decision.blocked],
        )

    def _has_own_row(self, index: int, decision: Decision) -> bool:
        job = self._jobs[index]
        if job.own_row is None:
            unlimited = decision.outcome is Outcome.MISMATCH and not job.over_limit
            activation, now = self._held.rows[job.activation_id], self._turn.now
            job.own_row = decision.audited and (
                unlimited or self._samples.is_first(activation, job.address or "", decision, now)
            )
        return job.own_row

    def _record(self, index: int, decision: Decision) -> AuditRecord:
        job = self._jobs[index]
        activation, prepared = self._held.rows[job.activation_id], self._prepared.get(index, ())
        return audit.record(job, activation, self._application_of(job), decision, self._turn.now, prepared)

    def _visible(self, job: VerificationJob) -> LockedActivation | None:
        row = self._held.rows.get(job.activation_id)
        return row if row is not None and job.may_see(row) else None

    def _acting(self, index: int) -> Acting:
        job, decision = self._jobs[index], self._decided[index]
        assert job.action is not None
        return Acting(job.action, self._held.rows[decision.after.activation_id], decision, job.span)
