"""Actions signed over their own envelope, which only core and device can open (encrypt-then-sign)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.dmz import actions, signed
from powerauth_core.dmz.headers import signature_header
from powerauth_core.dmz.schemas import EnvelopeActionAnswer, SignedRequest
from powerauth_core.envelopes.schemas import SealedFields
from powerauth_core.errors import InvalidApplication
from powerauth_core.recovery import service as recovery
from powerauth_core.signatures.jobs import LockedActivation
from powerauth_core.signatures.rules import Decision
from powerauth_core.signatures.service import WIRE_NAME
from powerauth_core.tokens import service as tokens
from powerauth_core.vault import rules as vault_rules
from powerauth_core.vault.service import UnlockVault
from powerauth_protocol.ecies import EciesRequest
from powerauth_protocol.http_headers import SignatureHeader
from powerauth_protocol.signature import SignatureType
from powerauth_protocol.versions import ProtocolVersion

if TYPE_CHECKING:
    from powerauth_core.container import Core


class EnvelopeAction(signed.DoorAction):
    """An action whose request is the signed envelope; it is looked at after the signature (D11)."""

    def __init__(self, core: Core, header: SignatureHeader | None, body: bytes) -> None:
        self.core = core
        self.header = header
        self.body = body

    async def _request(self, session: AsyncSession) -> tuple[ApplicationFacts, ProtocolVersion, EciesRequest]:
        assert self.header is not None
        application = await self.core.application_cache.by_key(session, self.header.application_key)
        if application is None:
            raise InvalidApplication()
        version = ProtocolVersion.parse(self.header.version)
        return application, version, signed.read_signed_envelope(self.body, version)


class CreateToken(EnvelopeAction):
    """Issues a token of the type that signed."""

    async def accepted(
        self, session: AsyncSession, activation: LockedActivation, decision: Decision
    ) -> SealedFields:
        """The token, sealed for the device."""
        application, version, env = await self._request(session)
        return await tokens.create(
            self.core,
            session,
            activation=await signed.entity_of(session, activation),
            application=application,
            signature_type=WIRE_NAME[decision.signature_type],
            version=version,
            env=env,
        )


class ConfirmRecoveryCode(EnvelopeAction):
    """Makes a recovery code usable that came by post."""

    async def accepted(
        self, session: AsyncSession, activation: LockedActivation, decision: Decision
    ) -> SealedFields:
        """Whether it was usable already, sealed for the device."""
        application, version, env = await self._request(session)
        entity = await signed.entity_of(session, activation)
        confirmed = await recovery.confirm(self.core, session, entity, application, version, env)
        return SealedFields(
            encrypted_data=confirmed.encrypted_data,
            mac=confirmed.mac,
            nonce=confirmed.nonce,
            timestamp=confirmed.timestamp,
        )


class UnlockVaultAtDoor(UnlockVault):
    """`UnlockVault` whose envelope is the signed body."""

    async def refused(self, session: AsyncSession, activation: LockedActivation, decision: Decision) -> None:
        """A wrong signature is not told apart by an envelope: the enrollment service answers 401 alike."""


async def create_token(core: Core, request: SignedRequest) -> EnvelopeActionAnswer:
    """``signed/token/create``.

    :raises InvalidRequest: the body is no envelope, or it was accepted before
    :raises CoreError: the envelope does not open, or the activation cannot have a token
    """
    header, body = signature_header(request.header), signed.read_body(request)
    action = CreateToken(core, header, body)
    verified = await signed.check(core, header, body, actions.CREATE_TOKEN, action)
    if verified is None or not verified.valid:
        return EnvelopeActionAnswer(authenticated=False)
    return EnvelopeActionAnswer(authenticated=True, envelope=verified.answer)


async def confirm_recovery_code(core: Core, request: SignedRequest) -> EnvelopeActionAnswer:
    """``signed/recovery/confirm``.

    :raises InvalidRequest: the body is no envelope, it was accepted before, or the code is not one to confirm
    :raises CoreError: the envelope does not open, or there is no such code
    """
    header, body = signature_header(request.header), signed.read_body(request)
    action = ConfirmRecoveryCode(core, header, body)
    verified = await signed.check(core, header, body, actions.CONFIRM_RECOVERY_CODE, action)
    if verified is None or not verified.valid:
        return EnvelopeActionAnswer(authenticated=False)
    return EnvelopeActionAnswer(authenticated=True, envelope=verified.answer)


async def unlock_vault(core: Core, request: SignedRequest) -> EnvelopeActionAnswer:
    """``signed/vault/unlock``; keeps its own order: envelope first, then the signature (spec/core-api.md
    §10).

    :raises InvalidSignature: the signature type does not open the vault
    :raises InvalidInputFormat: the reason has another form
    :raises InvalidRequest: the body is no envelope, or it was accepted before
    :raises CoreError: the envelope does not open
    """
    header, body = signature_header(request.header), signed.read_body(request)
    if header is None:
        return EnvelopeActionAnswer(authenticated=False)
    vault_rules.check_type(
        SignatureType.parse(header.signature_type),
        biometry_allowed=core.settings.secure_vault_enable_biometric_authentication,
    )
    version = ProtocolVersion.parse(header.version)
    env = signed.read_signed_envelope(body, version)
    action = UnlockVaultAtDoor(core, header.application_key, version, env)
    verified = await signed.check(core, header, body, actions.UNLOCK_VAULT, action)
    if verified is None or not verified.valid:
        return EnvelopeActionAnswer(authenticated=False)
    return EnvelopeActionAnswer(authenticated=True, envelope=verified.answer)
