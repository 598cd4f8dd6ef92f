"""Actions whose envelope has a purpose of its own, signed over as it travels (encrypt-then-sign,
spec/enrollment-api.md §4.5).
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.dmz.models import SealedAnswer, SealedRequest
from powerauth_contracts.dmz.table import RECOVERY_CONFIRM, TOKEN_CREATE, VAULT_UNLOCK
from powerauth_contracts.enums import SignatureType
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.dmz import sealed, signed
from powerauth_core.dmz.ports import Ports
from powerauth_core.envelopes.service import Sealed
from powerauth_core.envelopes.views import sealed_fields
from powerauth_core.kernel.errors import InvalidApplication, InvalidRequest
from powerauth_core.recovery import service as recovery
from powerauth_core.tokens import service as tokens
from powerauth_core.upgrade import service as upgrade
from powerauth_core.vault import rules as vault_rules
from powerauth_core.vault.service import UnlockVault
from powerauth_core.verification.jobs import Decision, LockedActivation, Verified
from powerauth_protocol.groups import Envelope
from powerauth_protocol.v3.http_headers import SignatureHeader


class EnvelopeAction(signed.DoorAction):
    """An action whose request is the signed envelope; it is looked at after the signature (D11)."""

    def __init__(self, ports: Ports, header: SignatureHeader | None, body: bytes) -> None:
        self.ports = ports
        self.header = header
        self.body = body

    async def _request(self, session: AsyncSession) -> tuple[ApplicationFacts, Envelope]:
        assert self.header is not None
        application = await self.ports.application_cache.by_key(session, self.header.application_key)
        if application is None:
            raise InvalidApplication()
        return application, signed.read_envelope(self.body, self.header.version)


class CreateToken(EnvelopeAction):
    """Issues a token of the type that signed."""

    async def accepted(
        self, session: AsyncSession, activation: LockedActivation, decision: Decision
    ) -> Sealed:
        """The token, sealed for the device."""
        application, envelope = await self._request(session)
        return await tokens.create(
            self.ports,
            session,
            activation=await signed.entity_of(session, activation),
            application=application,
            signature_type=SignatureType.of(decision.signature_type),
            envelope=envelope,
        )


class ConfirmRecoveryCode(EnvelopeAction):
    """Makes a recovery code usable that came by post."""

    async def accepted(
        self, session: AsyncSession, activation: LockedActivation, decision: Decision
    ) -> Sealed:
        """Whether it was usable already, sealed for the device."""
        application, envelope = await self._request(session)
        entity = await signed.entity_of(session, activation)
        return await recovery.confirm(self.ports, session, entity, application, envelope)


class UnlockVaultAtDoor(UnlockVault):
    """`UnlockVault` whose envelope is the signed body."""

    async def refused(self, session: AsyncSession, activation: LockedActivation, decision: Decision) -> None:
        """A wrong signature is not told apart by an envelope: the enrollment service answers 401 alike."""


async def create_token(ports: Ports, request: SealedRequest) -> SealedAnswer:
    """``sealed/token/create``.

    :raises InvalidRequest: the body is no envelope, or it was accepted before
    :raises CoreError: the envelope does not open, or the activation cannot have a token
    """
    header, body = sealed.authorization_of(request), signed.read_body(request)
    verified = await signed.check(
        ports.verifier, header, body, TOKEN_CREATE.purpose, CreateToken(ports, header, body)
    )
    return _answer(verified)


async def confirm_recovery_code(ports: Ports, request: SealedRequest) -> SealedAnswer:
    """``sealed/recovery/confirm``.

    :raises InvalidRequest: the body is no envelope, it was accepted before, or the code is not one to confirm
    :raises CoreError: the envelope does not open, or there is no such code
    """
    header, body = sealed.authorization_of(request), signed.read_body(request)
    action = ConfirmRecoveryCode(ports, header, body)
    return _answer(await signed.check(ports.verifier, header, body, RECOVERY_CONFIRM.purpose, action))


async def unlock_vault(ports: Ports, request: SealedRequest) -> SealedAnswer:
    """``sealed/vault/unlock``; keeps its own order: envelope first, then the signature (spec/core-api.md
    §10).

    :raises InvalidSignature: the signature type does not open the vault
    :raises InvalidInputFormat: the reason has another form
    :raises InvalidRequest: the body is no envelope, or it was accepted before
    :raises CoreError: the envelope does not open
    """
    header, body = sealed.authorization_of(request), signed.read_body(request)
    if header is None:
        return SealedAnswer(authenticated=False)
    vault_rules.check_type(
        header.kind,
        biometry_allowed=ports.settings.secure_vault_enable_biometric_authentication,
    )
    envelope = signed.read_envelope(body, header.version)
    action = UnlockVaultAtDoor(ports, header.application_key, envelope)
    return _answer(await signed.check(ports.verifier, header, body, VAULT_UNLOCK.purpose, action))


async def start_upgrade(ports: Ports, request: SealedRequest) -> SealedAnswer:
    """``sealed/upgrade/start``, kept for wire compatibility: there are no upgrades, so it is refused (D8).

    :raises InvalidRequest: no usable encryption header, or no envelope of its version
    :raises CoreError: as `upgrade.refuse_start`
    """
    header = None if request.encryption is None else request.encryption.header()
    if header is None or header.activation_id is None:
        raise InvalidRequest()
    envelope = signed.read_envelope(signed.read_body(request), header.version)
    async with ports.database.read() as session:
        await upgrade.refuse_start(
            ports.application_cache, session, header.activation_id, header.application_key, envelope
        )


def _answer(verified: Verified | None) -> SealedAnswer:
    if verified is None or not verified.valid:
        return SealedAnswer(authenticated=False)
    return SealedAnswer(authenticated=True, envelope=sealed_fields(verified.answer))
