"""What the executor works on: one signature to check, and optionally what to do in the same transaction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.activations.rules import Consequence
from powerauth_protocol.groups import ProtocolVersion
from powerauth_protocol.v3.signature import DEFAULT_COMPONENT_LENGTH, SignatureType
from servicekit.errors import ServiceError
from servicekit.tracing import Span, current

OFFLINE_SECRET = "offline"  # noqa: S105 the literal of spec/protocol-v3.md §8.1
BLOCKED_BY_FAILURES = "MAX_FAILED_ATTEMPTS"
NO_LOCK = ""


class Outcome(StrEnum):
    """Row of the decision table of spec/core-api.md §9.1; the value is the note in the signature audit."""

    INVALID_APPLICATION = "activation_invalid_application"
    INVALID_STATE = "activation_invalid_state"
    EXHAUSTED = "activation_invalid_state_ctr_mismatch"
    VALID = "signature_ok"
    MISMATCH = "signature_does_not_match"


# Values, never changed. Not frozen: that makes them five times as dear, and every check makes several.
@dataclass(slots=True)
class ActivationFacts:
    """What the decision needs of an activation row.

    :ivar ctr_data: next expected counter data; None before the key exchange
    :ivar version: major protocol version of the activation; None before the key exchange
    :ivar sound: the row is as this core left it (D32)
    :ivar bound: what its MAC covers; None if there is no MAC to renew
    """

    activation_id: str
    status: ActivationStatus
    protocol: ActivationProtocol
    version: int | None
    blocked_reason: str | None
    counter: int
    ctr_data: bytes | None = field(repr=False)
    failed_attempts: int
    max_failed_attempts: int
    sound: bool = True
    bound: tuple[Any, ...] | None = field(default=None, repr=False)


@dataclass(slots=True)
class LockedActivation:
    """An activation row under its lock, with what answers and actions need of it.

    It is `StoredKeys`, as the entity is.

    :ivar facts: as the last check of the batch leaves them
    :ivar unjudged: nobody here can tell whether the core has written the row, so its jobs are not done
    :ivar application_rid: row id of the application
    :ivar application_id: public id of the application
    """

    facts: ActivationFacts
    user_id: str
    application_rid: int
    application_id: str
    application_roles: tuple[str, ...]
    flags: tuple[str, ...]
    server_private_key_base64: str = field(repr=False)
    server_private_key_encryption: int
    device_public_key_base64: str | None
    unjudged: bool = False

    @property
    def activation_id(self) -> str:
        """Id of the activation."""
        return self.facts.activation_id

    @property
    def version(self) -> int | None:
        """Version of the activation."""
        return self.facts.version

    @property
    def sound(self) -> bool:
        """The row is as this core left it."""
        return self.facts.sound


@dataclass(slots=True)
class Decision:
    """What to store and what to answer.

    :ivar before: the activation as it was locked; what the audit shows
    :ivar after: the activation as it has to be stored
    :ivar signature_type: the type that matched, otherwise the first requested one
    :ivar candidate_index: which of the candidates matched or was tried last
    :ivar counted: the attempt counts as a failed one, on the activation and on an operation it was meant for
    """

    outcome: Outcome
    before: ActivationFacts
    after: ActivationFacts
    signature_type: SignatureType
    candidate_index: int = 0
    counted: bool = False

    @property
    def valid(self) -> bool:
        """The signature was accepted."""
        return self.outcome is Outcome.VALID

    @property
    def blocked(self) -> bool:
        """The activation becomes BLOCKED by this attempt."""
        return self.after.status is not self.before.status

    @property
    def proves_nothing(self) -> bool:
        """The attempt was not accepted and does not count: whoever knows the activation's id can make it."""
        return not self.valid and not self.counted and not self.blocked

    @property
    def full_answer(self) -> bool:
        """The answer shows user, application, type and remaining attempts (rows D and E)."""
        return self.outcome in (Outcome.VALID, Outcome.MISMATCH)

    @property
    def audited(self) -> bool:
        """An activation that never had a counter leaves no row in the signature audit (§33 no. 4)."""
        return self.before.ctr_data is not None

    @property
    def remaining_attempts(self) -> int:
        """Attempts left; the maximum after a valid signature, of any type (§9.1)."""
        if self.valid:
            return self.after.max_failed_attempts
        return self.after.max_failed_attempts - self.after.failed_attempts


@dataclass(slots=True)
class Verified:
    """Outcome of one job.

    :ivar activation: None if there is no such activation in the caller's scope; then there is no decision
        either
    :ivar decision: None without an activation, and when `prepare` ended the job before the check
    :ivar answer: what the action returned
    :ivar refusal: why the signature could not be checked at all; nothing was counted
    """

    activation: LockedActivation | None
    decision: Decision | None
    answer: Any = None
    refusal: ServiceError | None = None

    @property
    def valid(self) -> bool:
        """The signature was accepted."""
        return self.decision is not None and self.decision.valid

    def checked(self) -> Verified:
        """The same, if the signature could be checked.

        :raises ServiceError: it could not
        """
        if self.refusal is not None:
            raise self.refusal
        return self


class EarlyEnd(Exception):
    """Raised by `SignedAction.prepare`: the job ends with this answer, the signature is not looked at."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer


class SignedAction(Protocol):
    """What happens under the activation's lock in the transaction of the check, and needs its session (D9).

    Each method runs inside its own savepoint: a `ServiceError` undoes only the method's own changes (none of
    them with ``keep_changes``), never the counter step and the audit row. A method may run again after a
    failed batch.
    """

    @property
    def lock_key(self) -> str:
        """Text that orders the further locks of the actions of one batch; `NO_LOCK` if it takes none."""
        ...

    async def prepare(self, session: AsyncSession, activation: LockedActivation) -> Sequence[tuple[str, str]]:
        """Run before the check; return additional facts for the audit row. May raise `EarlyEnd`."""
        ...

    async def accepted(self, session: AsyncSession, activation: LockedActivation, decision: Decision) -> Any:
        """Run after a valid signature; the result is the job's answer."""
        ...

    async def refused(self, session: AsyncSession, activation: LockedActivation, decision: Decision) -> Any:
        """Run after an invalid signature; the result is the job's answer."""
        ...


@dataclass(slots=True)
class Plan:
    """What an action does.

    :ivar answer: that of the job
    :ivar change: what becomes of the record, as `planned.Records` know it; None: it stays as it is
    :ivar consequence: what becomes of the activation beside its counter; it needs the activation's lock
    """

    answer: Any
    change: Any = None
    consequence: Consequence | None = None


class PlannedAction(ABC):
    """What happens to one record together with the check of a signature, said from values alone (D9).

    :ivar lock_key: id of the record, by which the further locks of a batch are ordered; `NO_LOCK`: none
    """

    lock_key: str = NO_LOCK

    @abstractmethod
    def is_idle(self, decision: Decision) -> bool:
        """Whether it does nothing after this decision, whatever the record; the answer is None then."""

    @abstractmethod
    def plan(self, record: Any, activation: LockedActivation, decision: Decision) -> Plan:
        """Decide; without I/O, and again if the batch has to be done again.

        :param record: as it stands; None if there is none
        :raises ServiceError: the answer; the record stays as it is, counter step and audit row are stored
        """


@dataclass(slots=True)
class VerificationJob:
    """One signature to check.

    :ivar signed_data: normalised data without the secret; several only with an offline proximity check
    :ivar version: protocol version of an online signature, None offline
    :ivar application_key: key of an online signature, None offline
    :ivar audit_info: additional facts for the audit of every outcome
    :ivar failure_info: additional facts for the audit of a failure
    :ivar application_ids: scope of the caller (D21), None if unrestricted
    :ivar force_hash_counter: use the counter data also for an activation of version 2 (upgrade commit)
    :ivar address: what the limit of failures calls the client at the dmz door; None at the other door, which
        has none (D15)
    :ivar over_limit: this client failed too often at this activation lately
    :ivar span: what the check is a part of
    :ivar own_row: whether the attempt has an audit row of its own; None until that is decided, once and for
        all, since a batch may be made again
    """

    activation_id: str
    signed_data: tuple[str, ...] = field(repr=False)
    signature: str = field(repr=False)
    types: tuple[SignatureType, ...]
    version: ProtocolVersion | None
    application_key: str | None = None
    component_length: int = DEFAULT_COMPONENT_LENGTH
    audit_info: tuple[tuple[str, str], ...] = ()
    failure_info: tuple[tuple[str, str], ...] = ()
    application_ids: frozenset[str] | None = None
    action: SignedAction | PlannedAction | None = None
    force_hash_counter: bool = False
    address: str | None = None
    over_limit: bool = False
    own_row: bool | None = None
    span: Span | None = field(default_factory=current.get, repr=False)

    @property
    def key(self) -> str:
        """The record this job works on."""
        return self.activation_id

    @property
    def record_id(self) -> str:
        """Id of the record that its action plans to change; `NO_LOCK`: none."""
        # Looked at for every check: to ask whether nothing is of an abstract class costs more than all of it.
        action = self.action
        return action.lock_key if action is not None and isinstance(action, PlannedAction) else NO_LOCK

    def may_see(self, activation: LockedActivation) -> bool:
        """The activation is in the caller's scope."""
        return self.application_ids is None or activation.application_id in self.application_ids
