"""Envelope keys that leave the core, of generic envelopes only (spec/core-api.md §12); and those
of application scope that are opened here instead.

At the dmz door those of application scope alone (D1 rule 4); inside the network also those of activations.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol
from powerauth_core.activations import repository as activations
from powerauth_core.activations.models import Activation
from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.activations.rules import Call, permits
from powerauth_core.applications.cache import ApplicationCache, ApplicationFacts
from powerauth_core.envelopes import service
from powerauth_core.envelopes.ports import HandoutPorts, Ports
from powerauth_core.envelopes.service import Opened
from powerauth_core.envelopes.spending import Spent, Unspent
from powerauth_core.kernel.errors import (
    ActivationNotFound,
    DecryptionFailed,
    InvalidApplication,
    InvalidRequest,
)
from powerauth_core.replay import service as replay
from powerauth_core.replay.rules import Once
from powerauth_core.settings import CoreSettings
from powerauth_protocol.common.errors import ProtocolError
from powerauth_protocol.groups import Envelope, EnvelopePurpose
from servicekit import clock

UNTIMED_MEMORY_MS = 24 * 3_600_000
"""How long an envelope without a timestamp is remembered (D1)."""


async def hand_out_keys(ports: HandoutPorts, *, envelope: Envelope, application_key: str) -> dict[str, Any]:
    """The keys of one generic envelope of application scope, after it was verified and remembered.

    :return: values of ``EnvelopeKeysAnswer``, for one request and its one answer (D1)
    :raises InvalidApplication: unknown or unsupported version
    :raises CoreError: as `powerauth_core.envelopes.service.open_envelope`
    """
    application = await _usable(ports, application_key)
    key = await service.application_key_of(ports, envelope, application)
    try:
        keys = envelope.edge_keys(service.party_of(application, None), key, clock.now_ms())
    except ProtocolError:
        raise DecryptionFailed() from None
    await ports.envelope_spending.spend(_spent(ports, envelope))
    return keys


async def open_unspent(
    ports: HandoutPorts, envelope: Envelope, application_key: str
) -> tuple[Opened, Unspent]:
    """Open a generic envelope of application scope here; raises as `hand_out_keys`.

    :return: it, and the duty to remember it
    """
    application = await _usable(ports, application_key)
    opened = await service.decrypt_application_envelope(
        ports, envelope, EnvelopePurpose.APPLICATION_GENERIC, application
    )
    return opened, Unspent(_spent(ports, envelope), ports.envelope_spending)


async def _usable(ports: Ports, application_key: str) -> ApplicationFacts:
    application = await ports.application_cache.facts(ports.database, application_key)
    if application is None or not application.supported:
        raise InvalidApplication()
    return application


def _spent(ports: Ports, envelope: Envelope) -> Spent:
    return Spent(envelope.temporary_key_id, _once(ports.settings, envelope))


async def decryptor(
    ports: Ports,
    *,
    envelope: Envelope,
    application_key: str,
    activation_id: str | None,
    scope: ApplicationIds = None,
) -> tuple[bytes, bytes]:
    """``ecies/decryptor``: envelope key and base for one request of an application of the caller.

    :param envelope: without its body
    :param activation_id: in activation scope
    :raises ActivationNotFound: unknown activation
    :raises IncorrectActivationState: the activation is not ACTIVE
    :raises InvalidApplication: unknown or unsupported version, or one of another application
    :raises InvalidRequest: FIDO2 activation, outside the time window, or accepted before
    :raises TemporaryKeyMissing: the temporary key is not for this envelope, or is gone
    :raises DecryptionFailed: version and fields do not fit together, or the ephemeral key is no point
    """
    async with ports.database.transaction() as session:
        activation = await usable_activation(session, activation_id, scope)
        application = await usable_application(ports.application_cache, session, application_key, activation)
        if scope is not None and application.application_id not in scope:
            raise InvalidApplication()
        key = await service.key_of(ports, session, envelope, application, activation)
        secrets = service.secrets_of(ports, activation)
        try:
            keys = envelope.lasting_keys(service.party_of(application, activation), secrets, key)
        except ProtocolError:
            raise DecryptionFailed() from None
        # Nothing to verify here: the caller has the ciphertext. The envelope is remembered all the same.
        if envelope.timestamp is not None:
            value = envelope.replay_value(activation_id)
            once = replay.timed_once(ports.settings, replay.APPLICATION_SCOPE, value, envelope.timestamp)
            await replay.remember_once(session, once)
    return keys


def _once(settings: CoreSettings, envelope: Envelope) -> Once | None:
    """One envelope, one set of keys."""
    if envelope.timestamp is not None:
        return service.once_of(settings, envelope, None)
    until_ms = clock.now_ms() + UNTIMED_MEMORY_MS
    return replay.once_of(settings, replay.APPLICATION_SCOPE, envelope.replay_value(None), until_ms)


async def usable_activation(
    session: AsyncSession, activation_id: str | None, application_ids: ApplicationIds = None
) -> Activation | None:
    """The ACTIVE activation of an activation-scope request; None in application scope.

    :raises ActivationNotFound: it is unknown
    :raises InvalidRequest: it is a FIDO2 activation
    :raises IncorrectActivationState: it is not ACTIVE
    """
    if activation_id is None:
        return None
    activation = await activations.find(session, activation_id, application_ids)
    if activation is None:
        raise ActivationNotFound()
    if activation.protocol != ActivationProtocol.POWERAUTH:
        raise InvalidRequest()
    permits(Call.HAND_OUT_ENVELOPE_KEY, activation.activation_status)
    return activation


async def usable_application(
    application_cache: ApplicationCache,
    session: AsyncSession,
    application_key: str,
    activation: Activation | None,
) -> ApplicationFacts:
    """The supported application version of a request, of the activation's application.

    :raises InvalidApplication: unknown, unsupported, or of another application
    """
    application = await application_cache.by_key(session, application_key)
    if application is None or not application.supported:
        raise InvalidApplication()
    if activation is not None and activation.application_id != application.application_rid:
        raise InvalidApplication()
    return application
