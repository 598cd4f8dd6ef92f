"""Opening the secure vault: signature check and key in one transaction (spec/core-api.md §10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_contracts.envelopes import SealedFields
from powerauth_contracts.rest.vault import UnlockVaultRequest, UnlockVaultResponse
from powerauth_core.activations import repository as activations
from powerauth_core.activations.models import Activation
from powerauth_core.envelopes.service import Opened, open_envelope, read_envelope
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
from powerauth_core.verification.service import scope
from powerauth_protocol.common.encoding import b64encode, render_json
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies import EciesRequest, SharedInfo1
from powerauth_protocol.v3.vault import wrap_vault_key
from powerauth_protocol.v3.versions import ProtocolVersion

AUDITED_REASON = "VAULT_UNLOCKED_REASON"


@dataclass(slots=True)
class UnlockVault:
    """`SignedAction` of a vault request; the envelope is opened before the signature is looked at (§10 step
    6).

    Its answer is the sealed envelope, or None if the request was refused before the envelope was opened.
    """

    ports: Ports
    application_key: str
    version: ProtocolVersion
    env: EciesRequest
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
            scope=Scope.ACTIVATION,
            sh1=SharedInfo1.VAULT_UNLOCK,
            env=self.env,
            application=application,
            activation=await self._entity(session, activation),
            version=self.version,
        )
        try:
            return ((AUDITED_REASON, rules.reason_of(self._opened.plaintext)),)
        except rules.UnreadablePayload:
            raise EarlyEnd(None) from None

    async def accepted(
        self, session: AsyncSession, activation: LockedActivation, decision: Decision
    ) -> SealedFields:
        """Seal the vault key under the transport key."""
        entity = await self._entity(session, activation)
        keys = self.ports.activation_keys.keys_of(entity).factors
        return self._seal(b64encode(wrap_vault_key(keys.transport, keys.vault)))

    async def refused(
        self, session: AsyncSession, activation: LockedActivation, decision: Decision
    ) -> SealedFields | None:
        """Seal the absence of a key."""
        return self._seal(None)

    async def _entity(self, session: AsyncSession, activation: LockedActivation) -> Activation:
        entity = await activations.find(session, activation.activation_id)
        if entity is None:
            raise ActivationNotFound()
        return entity

    def _seal(self, key: str | None) -> SealedFields:
        assert self._opened is not None
        return self._opened.seal(render_json({"encryptedVaultEncryptionKey": key}))


async def unlock(ports: Ports, request: UnlockVaultRequest) -> UnlockVaultResponse:
    """Verify the signature and hand out the vault key, encrypted for the device.

    :raises InvalidSignature: the signature type does not open the vault
    :raises InvalidInputFormat: the reason has another form
    :raises InvalidRequest: the envelope has wrong fields or was accepted before, or a FIDO2 activation
    :raises CoreError: the envelope does not open, as `open_envelope`; or the signature cannot be checked
    """
    signature_type = request.signature_type.kind
    rules.check_type(
        signature_type, biometry_allowed=ports.settings.secure_vault_enable_biometric_authentication
    )
    version, env = read_envelope(request, request.signature_version)
    verified = await ports.verifier.run(
        VerificationJob(
            activation_id=request.activation_id,
            signed_data=(request.signed_data,),
            signature=request.signature,
            types=(signature_type,),
            version=version,
            application_key=request.application_key,
            application_ids=scope(request.application_ids),
            action=UnlockVault(ports, request.application_key, version, env),
        )
    )
    if verified.refusal is not None:
        raise verified.refusal
    sealed: SealedFields | None = verified.answer
    if sealed is None:
        return UnlockVaultResponse(signature_valid=False)
    return UnlockVaultResponse(signature_valid=verified.valid, **sealed.model_dump(by_alias=False))
