"""Opening envelopes on behalf of all calls (spec/core-api.md §2.2, spec/protocol-v3.md §5.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations.models import Activation
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.envelopes.ports import Ports
from powerauth_core.kernel.errors import DecryptionFailed, EncryptionFailed, InvalidRequest
from powerauth_core.replay import service as replay
from powerauth_core.replay.rules import Once
from powerauth_core.settings import CoreSettings
from powerauth_protocol.common.errors import EnvelopeFormatError, ProtocolError, VersionError
from powerauth_protocol.common.scope import Party
from powerauth_protocol.generation import Generation, generation_of
from powerauth_protocol.groups import (
    Envelope,
    EnvelopeKey,
    EnvelopePurpose,
    OpenedEnvelope,
    ProtocolVersion,
    Secrets,
)
from servicekit import clock


@dataclass(slots=True)
class ClosedEnvelope:
    """An envelope as it came; whoever passes it on looks at none of its members.

    :ivar version: the request's ``protocolVersion`` or ``signatureVersion``
    :ivar members: as in its JSON object
    """

    application_key: str
    version: str
    members: Mapping[str, Any] = field(repr=False)
    _judged: Envelope | None = field(default=None, init=False, repr=False)

    def judged(self) -> Envelope:
        """The same after a formal check, which is made once; nothing is decrypted.

        :raises DecryptionFailed: unknown protocol version
        :raises InvalidRequest: a member is missing, malformed, unknown or not allowed in this version
        """
        if self._judged is None:
            try:
                self._judged = read_version(self.version).envelopes.read(self.members)
            except EnvelopeFormatError:
                raise InvalidRequest() from None
        return self._judged


# Values, never changed. Not frozen: that makes them five times as dear.
@dataclass(slots=True)
class Sealed:
    """An answer that only the device can open.

    :ivar members: of its JSON object
    """

    members: Mapping[str, Any] = field(repr=False)


# Not frozen either.
@dataclass(slots=True)
class Opened:
    """A decrypted request that waits for its one answer."""

    _envelope: OpenedEnvelope = field(repr=False)

    @property
    def plaintext(self) -> bytes:
        """What the device sent."""
        return self._envelope.plaintext

    def seal(self, plaintext: bytes) -> Sealed:
        """Encrypt the answer; once only.

        :raises EncryptionFailed: it cannot be encrypted, or an answer was encrypted before
        """
        try:
            return Sealed(self._envelope.seal(plaintext, clock.now_ms()))
        except ProtocolError:
            raise EncryptionFailed() from None


def read_version(version: str) -> Generation:
    """What speaks the protocol version of an envelope.

    :raises DecryptionFailed: it is unknown
    """
    try:
        return generation_of(version)
    except VersionError:
        raise DecryptionFailed() from None


async def open_envelope(
    ports: Ports,
    session: AsyncSession,
    *,
    envelope: Envelope,
    purpose: EnvelopePurpose,
    application: ApplicationFacts,
    activation: Activation | None,
) -> Opened:
    """Check the time, choose the key, verify and decrypt, and remember the envelope, in this order.

    :raises InvalidRequest: accepted before
    :raises CoreError: as `decrypt_envelope`, which says what the parameters are
    """
    opened = await decrypt_envelope(
        ports, session, envelope=envelope, purpose=purpose, application=application, activation=activation
    )
    await remember(ports.settings, session, envelope, activation)
    return opened


async def remember(
    settings: CoreSettings, session: AsyncSession, envelope: Envelope, activation: Activation | None
) -> None:
    """Remember an envelope that was opened, so that it is accepted once (D10).

    One without a timestamp cannot be remembered.

    :raises InvalidRequest: accepted before
    """
    activation_id = None if activation is None else activation.activation_id
    await replay.remember_once(session, once_of(settings, envelope, activation_id))


def once_of(settings: CoreSettings, envelope: Envelope, activation_id: str | None) -> Once | None:
    """What `remember` remembers of an envelope; None: nothing.

    :param activation_id: in activation scope
    """
    if envelope.timestamp is None:
        return None
    kind = replay.APPLICATION_SCOPE if activation_id is None else replay.ACTIVATION_SCOPE
    value = envelope.replay_value(activation_id)
    return replay.timed_once(settings, kind, value, envelope.timestamp)


async def decrypt_envelope(
    ports: Ports,
    session: AsyncSession,
    *,
    envelope: Envelope,
    purpose: EnvelopePurpose,
    application: ApplicationFacts,
    activation: Activation | None,
) -> Opened:
    """Check the time, choose the key, verify and decrypt; whoever acts on it remembers it.

    The caller has checked that the application version is usable and that the activation's state allows the
    call. An activation in activation scope has exchanged its keys.

    :param purpose: never one that the caller of the core may choose
    :param activation: the activation in activation scope, None in application scope
    :raises InvalidRequest: outside the time window
    :raises TemporaryKeyMissing: the named temporary key is not for this envelope, or is gone
    :raises NoMasterKeyPair: application scope without temporary key, and the application has no key pair
    :raises DecryptionFailed: anything else is wrong, also a version below the application's minimum
    """
    key = await key_of(ports, session, envelope, application, activation)
    return _opened(envelope, purpose, party_of(application, activation), secrets_of(ports, activation), key)


async def decrypt_application_envelope(
    ports: Ports, envelope: Envelope, purpose: EnvelopePurpose, application: ApplicationFacts
) -> Opened:
    """The same in application scope, not inside a session's block: whoever acts on it remembers it, if its
    temporary key is still there.
    """
    key = await application_key_of(ports, envelope, application)
    return _opened(envelope, purpose, party_of(application, None), None, key)


def _opened(
    envelope: Envelope, purpose: EnvelopePurpose, party: Party, secrets: Secrets | None, key: EnvelopeKey
) -> Opened:
    try:
        return Opened(envelope.open(purpose, party, secrets, key))
    except ProtocolError:
        raise DecryptionFailed() from None


def require_version(application: ApplicationFacts, version: ProtocolVersion) -> None:
    """Treat a version below the application's minimum like an unknown one (D17).

    :raises DecryptionFailed: it is below
    """
    if not application.accepts(version):
        raise DecryptionFailed()


async def key_of(
    ports: Ports,
    session: AsyncSession,
    envelope: Envelope,
    application: ApplicationFacts,
    activation: Activation | None,
) -> EnvelopeKey:
    """Check version and time of an envelope, and find the key that it was encrypted for
    (spec/protocol-v3.md §5.2); raises as `decrypt_envelope`.
    """
    check_age(ports.settings, envelope, application)
    if envelope.temporary_key_id is not None:
        return await ports.temporary_keys.key_in(session, envelope, party_of(application, activation))
    if activation is not None:
        return ports.activation_keys.keys_of(activation).server_private
    return application.master_key().private


async def application_key_of(ports: Ports, envelope: Envelope, application: ApplicationFacts) -> EnvelopeKey:
    """The same in application scope, not inside a session's block; its temporary key may have gone."""
    check_age(ports.settings, envelope, application)
    if envelope.temporary_key_id is not None:
        return await ports.temporary_keys.key(envelope, party_of(application, None))
    return application.master_key().private


def check_age(settings: CoreSettings, envelope: Envelope, application: ApplicationFacts) -> None:
    """Refuse an envelope of another time (spec/protocol-v3.md §5.2).

    :raises DecryptionFailed: its version is below the application's minimum
    :raises InvalidRequest: it is outside the time window
    """
    require_version(application, envelope.version)
    if envelope.timestamp is not None:
        replay.check_time(settings, envelope.timestamp)


def secrets_of(ports: Ports, activation: Activation | None) -> Secrets | None:
    """The secrets of the activation in activation scope."""
    return None if activation is None else ports.activation_keys.keys_of(activation)


def party_of(application: ApplicationFacts, activation: Activation | None) -> Party:
    """Whose envelopes are meant."""
    activation_id = None if activation is None else activation.activation_id
    return Party(application.application_key, application.secret, activation_id)
