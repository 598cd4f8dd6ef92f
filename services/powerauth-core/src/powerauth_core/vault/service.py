"""Opening the secure vault: signature check and key in one transaction (spec/core-api.md §10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.activations import repository as activations
from powerauth_core.activations.models import Activation
from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.envelopes.service import ClosedEnvelope, Opened, Sealed, open_envelope
from powerauth_core.kernel.errors import ActivationNotFound, InvalidRequest
from powerauth_core.vault import rules
from powerauth_core.vault.ports import Ports
from powerauth_core.verification.jobs import (
    NO_LOCK,
    Decision,
    EarlyEnd,
    LockedActivation,
    VerificationJob,
)
from powerauth_protocol.generation import generation_of
from powerauth_protocol.groups import Envelope, EnvelopePurpose, Secrets
from powerauth_protocol.v3.signature import SignatureType

AUDITED_REASON = "VAULT_UNLOCKED_REASON"


@dataclass(slots=True)
class UnlockVault:
    """`SignedAction` of a vault request; the envelope is opened before the signature is looked at (§10 step
    6).

    Its answer is the sealed envelope, or None if the request was refused before the envelope was opened.
    """

    ports: Ports
    application_key: str
    envelope: Envelope
    lock_key: str = NO_LOCK
    _opened: Opened | None = field(default=None, repr=False)

    async def prepare(self, session: AsyncSession, activation: LockedActivation) -> Sequence[tuple[str, str]]:
        """Open the envelope; its reason goes to the audit."""
        if activation.facts.status is not ActivationStatus.ACTIVE:
            raise EarlyEnd(None)
        application = await self.ports.application_cache.by_key(session, self.application_key)
        if (
            application is None
            or not application.supported
            or application.application_rid != activation.application_rid
        ):
            raise EarlyEnd(None)
        if activation.facts.protocol is not ActivationProtocol.POWERAUTH:
            raise InvalidRequest()
        self._opened = await open_envelope(
            self.ports,
            session,
            envelope=self.envelope,
            purpose=EnvelopePurpose.VAULT_UNLOCK,
            application=application,
            activation=await self._entity(session, activation),
        )
        try:
            return ((AUDITED_REASON, rules.reason_of(self._opened.plaintext)),)
        except rules.UnreadablePayload:
            raise EarlyEnd(None) from None

    async def accepted(
        self, session: AsyncSession, activation: LockedActivation, decision: Decision
    ) -> Sealed:
        """Seal the vault key."""
        entity = await self._entity(session, activation)
        return self._seal(self.ports.activation_keys.keys_of(entity))

    async def refused(
        self, session: AsyncSession, activation: LockedActivation, decision: Decision
    ) -> Sealed | None:
        """Seal the absence of a key."""
        return self._seal(None)

    async def _entity(self, session: AsyncSession, activation: LockedActivation) -> Activation:
        entity = await activations.find(session, activation.activation_id)
        if entity is None:
            raise ActivationNotFound()
        return entity

    def _seal(self, secrets: Secrets | None) -> Sealed:
        assert self._opened is not None
        return self._opened.seal(generation_of(self.envelope.version).vault.answer(secrets))


@dataclass(frozen=True, slots=True)
class Unlocked:
    """Outcome of a request.

    :ivar sealed: None if the request was refused before its envelope was opened
    """

    valid: bool
    sealed: Sealed | None


async def unlock(
    ports: Ports,
    *,
    activation_id: str,
    signature_type: SignatureType,
    signed_data: str,
    signature: str,
    closed: ClosedEnvelope,
    scope: ApplicationIds = None,
) -> Unlocked:
    """Verify the signature and hand out the vault key, encrypted for the device.

    :param closed: of the signature's protocol version
    :raises InvalidSignature: the signature type does not open the vault
    :raises InvalidInputFormat: the reason has another form
    :raises InvalidRequest: the envelope has wrong members or was accepted before, or a FIDO2 activation
    :raises CoreError: the envelope does not open, as `open_envelope`; or the signature cannot be checked
    """
    rules.check_type(
        signature_type, biometry_allowed=ports.settings.secure_vault_enable_biometric_authentication
    )
    envelope = closed.judged()
    verified = await ports.verifier.run(
        VerificationJob(
            activation_id=activation_id,
            signed_data=(signed_data,),
            signature=signature,
            types=(signature_type,),
            version=envelope.version,
            application_key=closed.application_key,
            application_ids=None if scope is None else frozenset(scope),
            action=UnlockVault(ports, closed.application_key, envelope),
        )
    )
    sealed: Sealed | None = verified.checked().answer
    return Unlocked(sealed is not None and verified.valid, sealed)
