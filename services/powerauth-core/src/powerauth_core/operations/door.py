"""What a device does with operations through the dmz door (D1, D14).

The door has verified the device's signature or token. What a signature does is said from values alone: it is
written in the transaction of the check.
An operation that does not concern the activation is answered like an unknown id (enrollment-api §10.2 to
§10.6, §10.10).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import (
    UNEXPECTED_OPERATION,
    OperationStatus,
    Refusal,
    SignatureType,
    UserActionResult,
)
from powerauth_contracts.fields import MAX_NESTING, is_nested_deeper_than
from powerauth_core.applications.cache import ApplicationCache
from powerauth_core.kernel.errors import InvalidRequest, OperationNotApprovable, OperationNotFound
from powerauth_core.kernel.paging import Page
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.operations import number_matching, proximity, reads, repository, rules, transitions
from powerauth_core.operations.ports import Ports
from powerauth_core.operations.rules import Actor, ApprovalAttempt
from powerauth_core.operations.stored import ActivationFilter, ShownOperation, StoredOperation
from powerauth_core.operations.transitions import Transition
from powerauth_core.operations.writing import write
from powerauth_core.settings import CoreSettings
from powerauth_core.verification.jobs import Plan
from servicekit import clock
from servicekit.database import Database, fetch_within

_NEWEST = Page(number=0, size=reads.MOST_SHOWN)


@dataclass(frozen=True, slots=True)
class DoorOutcome:
    """Answer to an approval or a rejection.

    :ivar result: what was done; None if the operation was left alone
    :ivar operation_status: state of the operation afterwards; None if it was not looked at
    :ivar refusal: why the activation's flags forbade it
    :ivar required_activation_flag: the flag that the activation lacks
    """

    result: UserActionResult | None = None
    operation_status: OperationStatus | None = None
    refusal: Refusal | None = None
    required_activation_flag: str | None = None


def approve(
    settings: CoreSettings,
    cipher: RecordCipher,
    operation: StoredOperation | None,
    *,
    actor: Actor,
    data: str,
    signature_type: SignatureType,
    number: str | None = None,
    additional_data: Mapping[str, Any],
) -> Plan:
    """Approve an operation with a valid signature; wrong data, factor, proximity code or number count as a
    failure.

    :param operation: with the signed id; None if there is none
    :param data: the operation data that the device signed
    :param number: that the user typed or chose
    :param additional_data: stored with the operation; ``proximity_otp`` in it is checked
    :return: answers a `DoorOutcome`
    :raises InvalidRequest: the additional data is nested too deep
    :raises OperationNotFound: unknown to this activation
    :raises OperationNotApprovable: nobody has claimed it and the setting `require_claim` is on
    """
    _check_nesting(additional_data)
    if rules.is_under_verification(actor):
        return Plan(DoorOutcome(refusal=Refusal.VERIFICATION_PENDING))
    operation = _known(operation, actor)
    left_alone = _left_alone(operation, actor)
    if left_alone is not None:
        return Plan(left_alone)
    if settings.require_claim and not rules.has_claimed(operation.facts(), actor.user_id):
        raise OperationNotApprovable()
    attempt = ApprovalAttempt(
        user_id=actor.user_id,
        application_id=actor.application_id,
        activation_id=actor.activation_id,
        data=data,
        signature_type=signature_type,
        proximity=proximity.check(settings, operation.row.totp_seed, additional_data),
        number_matches=number_matching.matches(cipher, operation.row, number),
    )
    return _acted(transitions.approval_attempted(operation, attempt, additional_data, clock.now()))


def fail_approval(
    operation: StoredOperation | None, *, actor: Actor, additional_data: Mapping[str, Any]
) -> Plan:
    """Count an approval whose signature was wrong (D14); only for an activation ACTIVE at the check.

    :param operation: with the signed id; None if there is none
    :param actor: the activation that the header names
    :return: answers the state of the operation afterwards; None if nothing is counted: it is not pending, has
        no owner, or does not concern this activation
    """
    if operation is None or not rules.counts_failed_signature(operation.facts(), actor):
        return Plan(None)
    if not _is_pending(operation):
        return Plan(None)
    counted = transitions.failure_counted(operation, additional_data, clock.now())
    return Plan(counted.operation.row.status, counted)


def reject(
    operation: StoredOperation | None,
    *,
    actor: Actor,
    unexpected: bool = False,
    additional_data: Mapping[str, Any],
) -> Plan:
    """Reject an operation with a valid signature. An activation under verification may reject.

    :param operation: with the signed id; None if there is none
    :param unexpected: the user did not ask for it: what the template wants then becomes of the activation
    :return: answers a `DoorOutcome`
    :raises InvalidRequest: the additional data is nested too deep
    :raises OperationNotFound: unknown to this activation
    """
    _check_nesting(additional_data)
    operation = _known(operation, actor)
    left_alone = _left_alone(operation, actor)
    if left_alone is not None:
        return Plan(left_alone)
    reason = UNEXPECTED_OPERATION if unexpected else None
    plan = _acted(transitions.rejected(operation, actor.user_id, additional_data, clock.now(), reason))
    plan.consequence = rules.consequence(operation.row.unexpected_action) if unexpected else None
    return plan


def _acted(transition: Transition) -> Plan:
    return Plan(DoorOutcome(transition.result, transition.operation.row.status), transition)


async def list_pending(ports: Ports, *, actor: Actor) -> list[ShownOperation]:
    """The newest 100 pending operations that the activation may approve.

    Unlike inside, an activation without flags sees no flagged operation: approval would refuse it.
    """
    application = await ports.application_cache.of_id(ports.database, actor.application_id)
    if application is None:
        return []
    seen_by = ActivationFilter(actor.activation_id, actor.activation_flags)
    return await reads.shown_to(
        ports.database.fetch, actor.user_id, application.application_rid, seen_by, clock.now()
    )


async def list_all(
    application_cache: ApplicationCache, session: AsyncSession, *, actor: Actor
) -> list[StoredOperation]:
    """The newest 100 operations of any state that the activation may see."""
    application = await application_cache.by_id(session, actor.application_id)
    if application is None:
        return []
    return await reads.page_of_user(
        partial(fetch_within, session),
        actor.user_id,
        [application.application_rid],
        _NEWEST,
        seen_by=ActivationFilter(actor.activation_id, actor.activation_flags),
    )


async def detail(database: Database, *, actor: Actor, operation_id: str) -> StoredOperation:
    """One operation, of any state.

    :raises OperationNotFound: unknown to this activation
    """
    return _known(await reads.find(database.fetch, operation_id), actor)


async def claim(ports: Ports, session: AsyncSession, *, actor: Actor, operation_id: str) -> StoredOperation:
    """Make the activation's user the owner of a pending operation without one.

    :raises OperationNotFound: unknown to this activation
    """
    found = await repository.lock(session, ports.database.dialect, operation_id)
    operation = _known(found, actor)
    taken = transitions.claimed(operation, actor.user_id) if _is_pending(operation) else None
    return operation if taken is None else await write(ports.listeners, session, taken)


def _known(operation: StoredOperation | None, actor: Actor) -> StoredOperation:
    if operation is None or not rules.concerns(operation.facts(), actor):
        raise OperationNotFound()
    return operation


def _check_nesting(additional_data: Mapping[str, Any]) -> None:
    """A device chooses what it sends along, and whoever reads the operation later must be able to."""
    if is_nested_deeper_than(dict(additional_data), MAX_NESTING):
        raise InvalidRequest()


def _left_alone(operation: StoredOperation, actor: Actor) -> DoorOutcome | None:
    """The answer when the operation's state or flag forbids any action."""
    status = operation.status_at(clock.now())
    if status is not OperationStatus.PENDING:
        return DoorOutcome(operation_status=status)
    if not rules.flag_fits(operation.facts(), actor.activation_flags):
        return DoorOutcome(
            operation_status=status,
            refusal=Refusal.ACTIVATION_FLAG_MISSING,
            required_activation_flag=operation.row.activation_flag,
        )
    return None


def _is_pending(operation: StoredOperation) -> bool:
    return operation.status_at(clock.now()) is OperationStatus.PENDING
