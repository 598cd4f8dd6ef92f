"""Opening envelopes on behalf of all calls (spec/core-api.md §2.2, spec/protocol-v3.md §5.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.envelopes import EnvelopeFields, SealedFields
from powerauth_core.activations.keys import ActivationKeyCache
from powerauth_core.activations.models import Activation
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.envelopes.ports import Ports
from powerauth_core.kernel.enums import UniqueValueType
from powerauth_core.kernel.errors import DecryptionFailed, EncryptionFailed, InvalidRequest
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.replay import service as replay
from powerauth_core.settings import CoreSettings
from powerauth_core.temporary_keys import service as keystore
from powerauth_protocol.common.errors import EnvelopeFormatError, ProtocolError, VersionError
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3 import ecies
from powerauth_protocol.v3.ecies import EciesContext, EciesRequest, ServerEnvelope, SharedInfo1
from powerauth_protocol.v3.keys import PrivateKey
from powerauth_protocol.v3.versions import ProtocolVersion
from servicekit import clock

REPLAY_KINDS = {
    Scope.APPLICATION: UniqueValueType.ECIES_APPLICATION_SCOPE,
    Scope.ACTIVATION: UniqueValueType.ECIES_ACTIVATION_SCOPE,
}


@dataclass(frozen=True, slots=True)
class Opened:
    """A decrypted request that waits for its one answer."""

    plaintext: bytes = field(repr=False)
    version: ProtocolVersion
    _envelope: ServerEnvelope = field(repr=False)

    def seal(self, plaintext: bytes) -> SealedFields:
        """Encrypt the answer; once only.

        :raises EncryptionFailed: it cannot be encrypted, or an answer was encrypted before
        """
        timestamp = clock.now_ms() if self.version.facts.timestamp else None
        try:
            return SealedFields.of(self._envelope.encrypt(plaintext, timestamp=timestamp))
        except ProtocolError:
            raise EncryptionFailed() from None


def read_envelope(fields: EnvelopeFields, version_text: str) -> tuple[ProtocolVersion, EciesRequest]:
    """Formal check of a request's envelope fields; nothing is decrypted.

    :param version_text: the request's ``protocolVersion`` or ``signatureVersion``
    :raises DecryptionFailed: unknown protocol version
    :raises InvalidRequest: a field is missing, malformed or not allowed in this version
    """
    members = {
        "temporaryKeyId": fields.temporary_key_id,
        "ephemeralPublicKey": fields.ephemeral_public_key,
        "encryptedData": fields.encrypted_data,
        "mac": fields.mac,
        "nonce": fields.nonce,
        "timestamp": fields.timestamp,
    }
    return read_members(members, version_text)


def read_members(members: Mapping[str, Any], version_text: str) -> tuple[ProtocolVersion, EciesRequest]:
    """The same for an envelope as its JSON object came; unknown members are refused.

    :raises DecryptionFailed: unknown protocol version
    :raises InvalidRequest: a field is missing, malformed, unknown or not allowed in this version
    """
    version = read_version(version_text)
    try:
        return version, EciesRequest.from_json_dict(members, version)
    except EnvelopeFormatError:
        raise InvalidRequest() from None


def version_of(fields: EnvelopeFields) -> str:
    """The version that an envelope has by its fields (§2.2); clients older than that member tell none."""
    if fields.temporary_key_id is not None:
        return ProtocolVersion.V3_3
    if fields.timestamp is not None:
        return ProtocolVersion.V3_2
    return ProtocolVersion.V3_0 if fields.nonce is None else ProtocolVersion.V3_1


def read_version(version_text: str) -> ProtocolVersion:
    """The protocol version of an envelope.

    :raises DecryptionFailed: it is unknown
    """
    try:
        return ProtocolVersion.parse(version_text)
    except VersionError:
        raise DecryptionFailed() from None


async def open_envelope(
    ports: Ports,
    session: AsyncSession,
    *,
    scope: Scope,
    sh1: SharedInfo1,
    env: EciesRequest,
    application: ApplicationFacts,
    activation: Activation | None,
    version: ProtocolVersion,
) -> Opened:
    """Check the time, choose the key, verify and decrypt, and remember the envelope, in this order.

    :raises InvalidRequest: accepted before
    :raises CoreError: as `decrypt_envelope`, which says what the parameters are
    """
    opened = await decrypt_envelope(
        ports,
        session,
        scope=scope,
        sh1=sh1,
        env=env,
        application=application,
        activation=activation,
        version=version,
    )
    await remember(ports.settings, session, scope, env, activation)
    return opened


async def remember(
    settings: CoreSettings,
    session: AsyncSession,
    scope: Scope,
    env: EciesRequest,
    activation: Activation | None,
) -> None:
    """Remember an envelope that was opened, so that it is accepted once (D10).

    :raises InvalidRequest: accepted before
    """
    identifier = None if activation is None else activation.activation_id
    await replay.remember_envelope(settings, session, REPLAY_KINDS[scope], env, identifier)


async def decrypt_envelope(
    ports: Ports,
    session: AsyncSession,
    *,
    scope: Scope,
    sh1: SharedInfo1,
    env: EciesRequest,
    application: ApplicationFacts,
    activation: Activation | None,
    version: ProtocolVersion,
) -> Opened:
    """Check the time, choose the key, verify and decrypt; whoever acts on it remembers it.

    The caller has checked that the application version is usable and that the activation's state allows the
    call. An activation in activation scope has exchanged its keys.

    :param sh1: purpose of the envelope; never one that the caller of the core may choose
    :param activation: the activation in activation scope, None in application scope
    :raises InvalidRequest: outside the time window
    :raises TemporaryKeyMissing: the named temporary key is not for this envelope, or is gone
    :raises NoMasterKeyPair: application scope without temporary key, and the application has no key pair
    :raises DecryptionFailed: anything else is wrong, also a version below the application's minimum
    """
    require_version(application, version)
    if env.timestamp is not None:
        replay.check_time(ports.settings, env.timestamp)
    private = await private_key(
        ports.cipher, ports.activation_keys, session, application, activation, env.temporary_key_id
    )
    try:
        plaintext, envelope = ecies.open_envelope(
            context_of(scope, sh1, application, activation, version, env.temporary_key_id),
            private,
            shared_info2_base(ports.activation_keys, application, activation),
            env,
        )
    except ProtocolError:
        raise DecryptionFailed() from None
    return Opened(plaintext, version, envelope)


def require_version(application: ApplicationFacts, version: ProtocolVersion) -> None:
    """Treat a version below the application's minimum like an unknown one (D17).

    :raises DecryptionFailed: it is below
    """
    if not application.accepts(version):
        raise DecryptionFailed()


async def private_key(
    cipher: RecordCipher,
    activation_keys: ActivationKeyCache,
    session: AsyncSession,
    application: ApplicationFacts,
    activation: Activation | None,
    temporary_key_id: str | None,
) -> PrivateKey:
    """The key that an envelope was encrypted for (spec/protocol-v3.md §5.2); raises as `open_envelope`."""
    activation_id = None if activation is None else activation.activation_id
    if temporary_key_id is not None:
        return await keystore.private_key(
            cipher, session, temporary_key_id, application.application_key, activation_id
        )
    if activation is not None:
        return activation_keys.keys_of(activation).server_private
    return application.master_key().private


def shared_info2_base(
    activation_keys: ActivationKeyCache, application: ApplicationFacts, activation: Activation | None
) -> bytes:
    """The 32-byte base of sharedInfo2 of the scope (spec/protocol-v3.md §5.3)."""
    if activation is None:
        return ecies.shared_info2_base(Scope.APPLICATION, application.secret)
    transport = activation_keys.keys_of(activation).factors.transport
    return ecies.shared_info2_base(Scope.ACTIVATION, application.secret, transport)


def context_of(
    scope: Scope,
    sh1: SharedInfo1,
    application: ApplicationFacts,
    activation: Activation | None,
    version: ProtocolVersion,
    temporary_key_id: str | None,
) -> EciesContext:
    """What both sides know about an envelope."""
    return EciesContext(
        version=version,
        scope=scope,
        sh1=sh1,
        application_key=application.application_key,
        application_secret=application.secret,
        activation_id=None if activation is None else activation.activation_id,
        temporary_key_id=temporary_key_id,
    )
