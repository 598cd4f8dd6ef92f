"""What the executor works on: one signature to check, and optionally what to do in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.kernel.errors import SignatureNotComputable
from powerauth_core.verification.steps import ActivationFacts, ApplicationCheck, Attempt, Decision
from powerauth_protocol.v3.signature import DEFAULT_COMPONENT_LENGTH, SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion, SignatureFormat
from servicekit.errors import ServiceError

OFFLINE_SECRET = "offline"  # noqa: S105 the literal of spec/protocol-v3.md §8.1
NO_LOCK = ""


# Values, never changed. Not frozen: that makes them five times as dear, and every check makes several.
@dataclass(slots=True)
class LockedActivation:
    """An activation row under its lock, with what answers and actions need of it.

    The key columns keep their names, so that `ActivationKeyCache` reads them here as from the entity.

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

    @property
    def activation_id(self) -> str:
        """Id of the activation."""
        return self.facts.activation_id

    @property
    def sound(self) -> bool:
        """The row is as this core left it."""
        return self.facts.sound


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


class EarlyEnd(Exception):
    """Raised by `SignedAction.prepare`: the job ends with this answer, the signature is not looked at."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer


class SignedAction(Protocol):
    """What happens under the activation's lock in the transaction of the check (D9).

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
class VerificationJob:
    """One signature to check.

    :ivar signed_data: normalised data without the secret; several only with an offline proximity check
    :ivar version: protocol version of an online signature, None offline
    :ivar application_key: key of an online signature, None offline
    :ivar audit_info: additional facts for the audit of every outcome
    :ivar failure_info: additional facts for the audit of a failure
    :ivar application_ids: scope of the caller (D21), None if unrestricted
    :ivar force_hash_counter: see `Attempt`
    :ivar address: what the limit of failures calls the client at the dmz door; None at the other door, which
        has none (D15)
    :ivar over_limit: this client failed too often at this activation lately
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
    action: SignedAction | None = None
    force_hash_counter: bool = False
    address: str | None = None
    over_limit: bool = False
    own_row: bool | None = None

    @property
    def key(self) -> str:
        """The record this job works on."""
        return self.activation_id

    def attempt(self, activation: LockedActivation, application: ApplicationFacts | None) -> Attempt:
        """The attempt on this activation.

        :param application: what is known about the application key; None for an unknown one and offline
        :raises SignatureNotComputable: the application does not accept this protocol version (D17)
        """
        check = _application_check(self, activation, application)
        if self.version is None:
            secret, fmt, length = OFFLINE_SECRET, SignatureFormat.DECIMAL, self.component_length
        else:
            secret = "" if application is None else application.secret
            fmt, length = self.version.signature_format, DEFAULT_COMPONENT_LENGTH
        candidates = tuple([f"{data}&{secret}".encode() for data in self.signed_data])
        return Attempt(self.signature, self.types, candidates, fmt, check, length, self.force_hash_counter)


def _application_check(
    job: VerificationJob, activation: LockedActivation, application: ApplicationFacts | None
) -> ApplicationCheck:
    if job.version is None:
        return ApplicationCheck.MATCHES
    if application is None:
        return ApplicationCheck.UNKNOWN
    if not application.supported or application.application_rid != activation.application_rid:
        return ApplicationCheck.REFUSED
    if not application.accepts(job.version):
        raise SignatureNotComputable()
    return ApplicationCheck.MATCHES
