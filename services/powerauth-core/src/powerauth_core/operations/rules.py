"""Decisions about an operation, without input or output (spec/core-api.md §19.6, §19.7, §23; D14)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from powerauth_contracts.enums import UNEXPECTED_OPERATION, OperationStatus, SignatureType, UnexpectedAction
from powerauth_core.activations.rules import Consequence

# An activation with one of these is still being verified and must not approve (enrollment-api §10.6 step 3).
VERIFICATION_FLAGS = frozenset({"VERIFICATION_PENDING", "VERIFICATION_IN_PROGRESS"})


class ProximityResult(StrEnum):
    """Outcome of the proximity check of one approval, as the audit log names it (§19.8)."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    DISABLED = "DISABLED"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class OperationFacts:
    """What the decisions need to know of a stored operation."""

    status: OperationStatus
    timestamp_expires: datetime
    user_id: str | None
    applications: frozenset[str]
    activation_id: str | None
    activation_flag: str | None
    data: str
    signature_types: frozenset[SignatureType]
    failure_count: int
    max_failure_count: int


@dataclass(frozen=True, slots=True)
class ApprovalAttempt:
    """What an approval brings, compared with the operation.

    :ivar number_matches: None if the operation asks for no number
    """

    user_id: str
    application_id: str
    activation_id: str | None
    data: str
    signature_type: SignatureType
    proximity: ProximityResult
    number_matches: bool | None = None


@dataclass(frozen=True, slots=True)
class CountedFailure:
    """The operation's counter and state after one more failed approval."""

    failure_count: int
    status: OperationStatus


@dataclass(frozen=True, slots=True)
class Actor:
    """The activation behind a device's request, as it stands at the check."""

    activation_id: str
    user_id: str
    application_id: str
    activation_flags: tuple[str, ...] = ()


def status_at(status: OperationStatus, timestamp_expires: datetime, now: datetime) -> OperationStatus:
    """The state that callers see: past its expiry EXPIRED, even before the job stores it (§23.2)."""
    if status is OperationStatus.PENDING and timestamp_expires < now:
        return OperationStatus.EXPIRED
    return status


def owner_fits(facts: OperationFacts, user_id: str) -> bool:
    """An operation without owner fits every user."""
    return facts.user_id is None or facts.user_id == user_id


def activation_fits(facts: OperationFacts, activation_id: str | None) -> bool:
    """An operation bound to no activation fits every one."""
    return facts.activation_id is None or facts.activation_id == activation_id


def flag_fits(facts: OperationFacts, activation_flags: Collection[str]) -> bool:
    """An operation that names an activation flag needs an activation that carries it."""
    return facts.activation_flag is None or facts.activation_flag in activation_flags


def concerns(facts: OperationFacts, actor: Actor) -> bool:
    """Owner, application and bound activation fit; else the device does not know the operation (D14)."""
    return belongs_to(facts, actor.user_id, actor.application_id) and activation_fits(
        facts, actor.activation_id
    )


def counts_failed_signature(facts: OperationFacts, actor: Actor) -> bool:
    """Whether a failed signature in this activation's name counts: never without an owner (D14)."""
    return facts.user_id is not None and concerns(facts, actor)


def has_claimed(facts: OperationFacts, user_id: str) -> bool:
    """Whether the operation is this user's own already."""
    return facts.user_id == user_id


def is_under_verification(actor: Actor) -> bool:
    """Whether the activation carries a flag that forbids approvals (enrollment-api §10.6 step 3)."""
    return not VERIFICATION_FLAGS.isdisjoint(actor.activation_flags)


def consequence(unexpected_action: str | None) -> Consequence | None:
    """What becomes of the activation that rejected an operation as unexpected (§19.10)."""
    if unexpected_action == UnexpectedAction.BLOCK:
        return Consequence(blocked_for=UNEXPECTED_OPERATION)
    return Consequence(flag=UNEXPECTED_OPERATION) if unexpected_action == UnexpectedAction.FLAG else None


def approval_succeeds(facts: OperationFacts, attempt: ApprovalAttempt) -> bool:
    """Whether a pending operation is approved by this attempt (§19.7 step 2)."""
    return (
        belongs_to(facts, attempt.user_id, attempt.application_id)
        and attempt.data == facts.data
        and attempt.signature_type in facts.signature_types
        and facts.failure_count < facts.max_failure_count
        and attempt.proximity in (ProximityResult.SUCCESS, ProximityResult.DISABLED)
        and attempt.number_matches is not False
        and activation_fits(facts, attempt.activation_id)
    )


def belongs_to(facts: OperationFacts, user_id: str, application_id: str) -> bool:
    """Whether this user in this application may know of the operation (D14, D31)."""
    return owner_fits(facts, user_id) and application_id in facts.applications


def count_failure(failure_count: int, max_failure_count: int, *, ends: bool = False) -> CountedFailure:
    """One more failed approval: the last allowed one makes the operation FAILED (§19.7 step 4, §23.3).

    :param ends: it was the last one allowed whatever the count
    """
    if failure_count + 1 < max_failure_count and not ends:
        return CountedFailure(failure_count + 1, OperationStatus.PENDING)
    return CountedFailure(max_failure_count, OperationStatus.FAILED)
