"""What becomes of a sign-in with a passkey, decided from values alone (spec/device-trust.md §4.3, §4.8).

The signature comes first: before it holds nothing is told, and nothing is stored but that it did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from powerauth_contracts.enums import AuditLevel, OperationStatus, SignatureType, UserActionResult
from powerauth_core.activations.rules import ACTIVE, REASON_MAX_FAILED_ATTEMPTS, attempts_exhausted
from powerauth_core.fido2 import monitoring
from powerauth_core.fido2.authenticators import Model
from powerauth_core.fido2.relying_party import RelyingParty, Rules
from powerauth_core.fido2.writing import read_counter
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.operations import number_matching, proximity, transitions
from powerauth_core.operations import rules as operation_rules
from powerauth_core.operations.rules import Actor, ApprovalAttempt
from powerauth_core.operations.stored import StoredOperation
from powerauth_core.operations.transitions import Transition
from powerauth_core.passkey_records.extras import Extras
from powerauth_core.passkey_records.stored import Passkey
from powerauth_core.passkeys import ceremony, evaluation, keys
from powerauth_core.passkeys.authenticator_data import Flags
from powerauth_core.passkeys.ceremony import Asserted, AssertionAnswer, CounterRule, StoredCredential
from powerauth_core.passkeys.client_data import ClientData
from powerauth_core.passkeys.evaluation import Facts
from powerauth_core.passkeys.refusals import CeremonyFailed, CeremonyReason, PasskeyRefused, PolicyRefused
from powerauth_core.settings import CoreSettings
from powerauth_protocol.common.encoding import b64decode, b64encode
from servicekit import clock

CLONED: Final = "CLONED_AUTHENTICATOR"
"""Blocked reason under policy ``counterMismatch: rejectAndBlock``."""
ALLOWED: Final = "allowCredentials"
"""Member of an operation's additional data: Base64 of the credential ids that may approve it."""

_COUNTED: Final = frozenset({CeremonyReason.SIGNATURE, CeremonyReason.COUNTER})
"""What counts as a failed attempt of the passkey."""
_PROVED: Final = _COUNTED | {
    CeremonyReason.BACKUP_ELIGIBILITY,
    CeremonyReason.USER_HANDLE,
    CeremonyReason.STATE,
    CeremonyReason.NOT_ALLOWED,
}
"""What counts as a failed approval of the operation, as every refusal of the policy does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """An answer to the challenge of an operation, and for whom it is.

    :ivar operation_id: out of the challenge, `data` likewise
    :ivar collected: client data of the answer, if they have been read
    :ivar challenge: that it has to answer; None: any of a known operation
    :ivar counts_failures: whether failures are stored with the passkey: not where anybody can cause them
    """

    party: RelyingParty
    answer: AssertionAnswer
    operation_id: str
    data: str
    challenge: bytes | None = None
    counts_failures: bool = True
    collected: ClientData | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What decides beside the values of a sign-in."""

    settings: CoreSettings
    cipher: RecordCipher
    rules: Rules
    facts: Facts
    models: Mapping[str, Model]


# Values, never changed. Not frozen: that makes them five times as dear.
@dataclass(slots=True)
class Record:
    """What the audit says."""

    message: str
    params: dict[str, Any]
    level: AuditLevel = AuditLevel.INFO


@dataclass(slots=True)
class Decision:
    """What to store, and what to answer.

    :ivar passkey: as it was read; None: there is none of that id
    :ivar refusal: None: the operation is approved
    :ivar asserted: once the signature holds
    :ivar counter: to store, None: as it is; `extras` likewise
    :ivar failed_attempts: to store
    :ivar blocked_for: it becomes BLOCKED, for this reason
    :ivar transition: of the operation
    """

    passkey: Passkey | None
    refusal: PasskeyRefused | None = None
    asserted: Asserted | None = None
    signature_type: SignatureType = SignatureType.POSSESSION
    counter: int | None = None
    extras: Extras | None = None
    failed_attempts: int = 0
    blocked_for: str | None = None
    transition: Transition | None = None
    records: list[Record] = field(default_factory=list)

    @property
    def changes_passkey(self) -> bool:
        """Whether anything of the passkey is to be stored."""
        before = self.passkey
        return before is not None and (
            self.counter is not None
            or self.extras is not None
            or self.blocked_for is not None
            or self.failed_attempts != before.activation.failed_attempts
        )


def decide(
    asked: SignIn, passkey: Passkey | None, operation: StoredOperation | None, context: Context
) -> Decision:
    """Judge a sign-in.

    :param passkey: the one of that id; None: there is none, which takes as long as a wrong signature
    :param operation: of the challenge; None: there is none
    :raises Malformed: the answer can not be read
    """
    decision = Decision(passkey)
    if passkey is not None:
        decision.failed_attempts = passkey.activation.failed_attempts
    try:
        _judge(decision, asked, operation, context)
    except (CeremonyFailed, PolicyRefused) as refused:
        _refuse(decision, asked, operation, refused)
    _tell_result(decision, asked, context)
    return decision


def _judge(decision: Decision, asked: SignIn, operation: StoredOperation | None, context: Context) -> None:
    """:raises CeremonyFailed: or PolicyRefused: it is refused"""
    passkey = decision.passkey
    asserted = decision.asserted = _asserted(asked, passkey, context)
    assert passkey is not None
    if passkey.status is not ACTIVE:
        raise CeremonyFailed(CeremonyReason.STATE)
    eligible = bool(asserted.flags & Flags.BE)
    evaluation.sign_in(context.rules.policy, passkey.stored, eligible, context.facts)
    pending = _approvable(asked, passkey, operation, context)
    _check_counter(decision, context.rules.policy.counter_mismatch)
    decision.extras = _used(passkey.extras, asserted)
    decision.failed_attempts = 0
    _approve(decision, asked, pending, context)


def _asserted(asked: SignIn, passkey: Passkey | None, context: Context) -> Asserted:
    model = None if passkey is None else context.models.get(str(passkey.extras.aaguid))
    signed = asked.data.encode() if model is not None and model.signs_operation else b""
    expected = context.rules.expected(asked.party, asked.challenge)
    return ceremony.assertion(asked.answer, expected, _credential(passkey), signed, asked.collected)


def _credential(passkey: Passkey | None) -> StoredCredential | None:
    if passkey is None or passkey.activation.device_public_key_base64 is None:
        return None
    handle = passkey.extras.user_handle
    return StoredCredential(
        b64decode(passkey.credential_id),
        keys.from_stored(passkey.activation.device_public_key_base64),
        passkey.extras.be,
        None if handle is None else b64decode(handle),
    )


def _approvable(
    asked: SignIn, passkey: Passkey, operation: StoredOperation | None, context: Context
) -> StoredOperation:
    """The operation, if it waits for this passkey.

    :raises CeremonyFailed: OPERATION, NOT_ALLOWED
    """
    actor = _actor(passkey)
    if operation is None or not _is_pending(operation) or operation_rules.is_under_verification(actor):
        raise CeremonyFailed(CeremonyReason.OPERATION)
    facts = operation.facts()
    unclaimed = context.settings.require_claim and not operation_rules.has_claimed(facts, actor.user_id)
    if unclaimed or not operation_rules.concerns(facts, actor):
        raise CeremonyFailed(CeremonyReason.OPERATION)
    if not operation_rules.flag_fits(facts, actor.activation_flags):
        raise CeremonyFailed(CeremonyReason.OPERATION)
    allowed = (operation.row.additional_data or {}).get(ALLOWED)
    if allowed and passkey.credential_id not in allowed:
        raise CeremonyFailed(CeremonyReason.NOT_ALLOWED)
    return operation


def _check_counter(decision: Decision, rule: CounterRule) -> None:
    """:raises CeremonyFailed: COUNTER"""
    assert decision.passkey is not None
    assert decision.asserted is not None
    stored = read_counter(decision.passkey.activation.counter)
    received = decision.asserted.data.counter
    if ceremony.counter_holds(stored, received):
        decision.counter = None if received == stored else received
        return
    mismatch = {"stored": stored, "received": received, "rule": rule}
    decision.records.append(Record(monitoring.COUNTER_MISMATCH, mismatch, AuditLevel.WARN))
    if rule is CounterRule.WARN:
        return
    if rule is CounterRule.REJECT_AND_BLOCK:
        decision.blocked_for = CLONED
    raise CeremonyFailed(CeremonyReason.COUNTER)


def _used(extras: Extras, asserted: Asserted) -> Extras | None:
    flags = asserted.flags
    used = extras.used(
        be=bool(flags & Flags.BE),
        bs=bool(flags & Flags.BS),
        uv=bool(flags & Flags.UV),
        origin=asserted.client_data.origin,
    )
    return None if used is extras else used


def _approve(decision: Decision, asked: SignIn, operation: StoredOperation, context: Context) -> None:
    """:raises CeremonyFailed: OPERATION: other data, or a factor that is not allowed"""
    passkey, asserted = decision.passkey, decision.asserted
    assert passkey is not None
    assert asserted is not None
    decision.signature_type = _signature_type(passkey, asserted, context)
    additional = {
        "activationId": passkey.activation_id,
        "applicationId": passkey.application_id,
        "credentialId": passkey.credential_id,
        "authFactor": decision.signature_type.lower(),
        "origin": asserted.client_data.origin,
        "topOrigin": asserted.client_data.top_origin,
    }
    attempt = ApprovalAttempt(
        user_id=passkey.user_id,
        application_id=passkey.application_id,
        activation_id=passkey.activation_id,
        data=asked.data,
        signature_type=decision.signature_type,
        proximity=proximity.check(context.settings, operation.row.totp_seed, {}),
        number_matches=number_matching.matches(context.cipher, operation.row, None),
    )
    transition = transitions.approval_attempted(operation, attempt, additional, clock.now())
    decision.transition = transition
    if transition.result is not UserActionResult.APPROVED:
        raise CeremonyFailed(CeremonyReason.OPERATION)


def _signature_type(passkey: Passkey, asserted: Asserted, context: Context) -> SignatureType:
    if not asserted.flags & Flags.UV:
        return SignatureType.POSSESSION
    model = context.models.get(str(passkey.extras.aaguid))
    if model is not None and model.signature_type is not None:
        return model.signature_type
    return SignatureType(context.rules.policy.uv_signature_type or SignatureType.POSSESSION)


def _refuse(
    decision: Decision, asked: SignIn, operation: StoredOperation | None, refused: PasskeyRefused
) -> None:
    """Count what a refusal counts: of the passkey, and of an operation of its user's (D14)."""
    decision.refusal = refused
    passkey = decision.passkey
    if passkey is None:
        return
    counted = isinstance(refused, CeremonyFailed) and refused.reason in _COUNTED
    if counted and asked.counts_failures and passkey.status is ACTIVE:
        decision.failed_attempts += 1
        if attempts_exhausted(decision.failed_attempts, passkey.activation.max_failed_attempts):
            decision.blocked_for = decision.blocked_for or REASON_MAX_FAILED_ATTEMPTS
    if not isinstance(refused, PolicyRefused) and refused.reason not in _PROVED:
        return
    if operation is None or not _is_pending(operation):
        return
    if operation_rules.counts_failed_signature(operation.facts(), _actor(passkey)):
        decision.transition = transitions.failure_counted(operation, None, clock.now())


def _tell_result(decision: Decision, asked: SignIn, context: Context) -> None:
    passkey, refusal, asserted = decision.passkey, decision.refusal, decision.asserted
    about = {
        "applicationId": context.rules.known.application_id,
        "activationId": None if passkey is None else passkey.activation_id,
        "credentialId": b64encode(asked.answer.credential_id),
        "aaguid": None if passkey is None else str(passkey.extras.aaguid),
    }
    for record in decision.records:
        record.params |= about
    if refusal is not None and refusal.reason == CeremonyReason.BACKUP_ELIGIBILITY:
        decision.records.append(Record(monitoring.BE_CHANGED, dict(about), AuditLevel.WARN))
    if isinstance(refusal, PolicyRefused):
        denied = {**about, "reason": refusal.reason}
        decision.records.append(Record(monitoring.POLICY_DENIED, denied, AuditLevel.WARN))
    result = {
        **about,
        "operationId": asked.operation_id,
        "valid": refusal is None,
        "reason": None if refusal is None else refusal.reason,
        "authFactor": decision.signature_type if refusal is None else None,
        "origin": None if asserted is None else asserted.client_data.origin,
        "failedAttempts": None if passkey is None else decision.failed_attempts,
    }
    level = AuditLevel.INFO if refusal is None else AuditLevel.WARN
    decision.records.append(Record(monitoring.ASSERTION, result, level))


def _actor(passkey: Passkey) -> Actor:
    flags = tuple(passkey.activation.flags or ())
    return Actor(passkey.activation_id, passkey.user_id, passkey.application_id, flags)


def _is_pending(operation: StoredOperation) -> bool:
    return operation.status_at(clock.now()) is OperationStatus.PENDING
