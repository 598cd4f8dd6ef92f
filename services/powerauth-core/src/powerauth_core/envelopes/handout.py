"""Envelope keys that leave the core, of generic envelopes only (spec/core-api.md §12).

At the dmz door those of application scope alone (D1 rule 4); inside the network also those of activations.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol
from powerauth_contracts.rest.envelopes import DecryptorRequest, DecryptorResponse
from powerauth_core.activations import repository as activations
from powerauth_core.activations.models import Activation
from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.activations.rules import Call, permits
from powerauth_core.applications.cache import ApplicationCache, ApplicationFacts
from powerauth_core.envelopes import service
from powerauth_core.envelopes.ports import Ports
from powerauth_core.kernel.enums import UniqueValueType
from powerauth_core.kernel.errors import (
    ActivationNotFound,
    DecryptionFailed,
    InvalidApplication,
    InvalidRequest,
)
from powerauth_core.replay import service as replay
from powerauth_core.settings import CoreSettings
from powerauth_protocol.common.encoding import b64decode, b64encode, require_length
from powerauth_protocol.common.errors import EncodingError, ProtocolError
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3 import ecies
from powerauth_protocol.v3.ecies import EciesRequest, EnvelopeKey, SharedInfo1
from powerauth_protocol.v3.versions import ProtocolVersion
from servicekit import clock

NONCE_LENGTH = 16
UNTIMED_MEMORY_MS = 24 * 3_600_000
"""How long the ephemeral key of an envelope without a timestamp is remembered (D1)."""


@dataclass(frozen=True, slots=True)
class EnvelopeKeys:
    """What an edge gets for one request whose MAC the core has verified (D1).

    :ivar secret_key: envelope key, 48 bytes
    :ivar shared_info2_base: 32 bytes; an edge gets it only in 3.0 and 3.1, where it is all there is
    :ivar request_shared_info2: complete sharedInfo2 of the request
    :ivar response_shared_info2: complete sharedInfo2 of the one answer
    :ivar response_nonce: 16 bytes from 3.2, else None
    :ivar response_timestamp: ms from 3.2, else None
    """

    secret_key: EnvelopeKey = field(repr=False)
    shared_info2_base: bytes = field(repr=False)
    request_shared_info2: bytes = field(repr=False)
    response_shared_info2: bytes = field(repr=False)
    response_nonce: bytes | None
    response_timestamp: int | None


async def hand_out_keys(
    ports: Ports,
    session: AsyncSession,
    *,
    env: EciesRequest,
    application: ApplicationFacts,
    version: ProtocolVersion,
) -> EnvelopeKeys:
    """The keys of one generic envelope of application scope, after its MAC was verified and it was
    remembered.

    The caller has checked the application with `usable_application`.

    :raises CoreError: as `powerauth_core.envelopes.service.open_envelope`
    """
    key = await _envelope_key(ports, session, Scope.APPLICATION, env, application, None, version)
    context = service.context_of(
        Scope.APPLICATION,
        SharedInfo1.APPLICATION_GENERIC,
        application,
        None,
        version,
        env.temporary_key_id,
    )
    base = service.shared_info2_base(ports.activation_keys, application, None)
    nonce, timestamp = (
        (os.urandom(NONCE_LENGTH), clock.now_ms()) if version.facts.response_nonce else (None, None)
    )
    try:
        request_info = ecies.request_shared_info2(context, base, env)
        response_info = ecies.response_shared_info2(context, base, nonce, timestamp)
    except ProtocolError:
        raise DecryptionFailed() from None
    if not ecies.verify_request_mac(key, request_info, env):
        raise DecryptionFailed()
    await _remember(ports.settings, session, env)
    return EnvelopeKeys(key, base, request_info, response_info, nonce, timestamp)


async def decryptor(ports: Ports, request: DecryptorRequest) -> DecryptorResponse:
    """``ecies/decryptor``: envelope key and base for one request of an application of the caller.

    :raises ActivationNotFound: unknown activation
    :raises IncorrectActivationState: the activation is not ACTIVE
    :raises InvalidApplication: unknown or unsupported version, or one of another application
    :raises InvalidRequest: FIDO2 activation, malformed field, outside the time window, or accepted before
    :raises TemporaryKeyMissing: the temporary key is not for this envelope, or is gone
    :raises DecryptionFailed: version and fields do not fit together, or the ephemeral key is no point
    """
    version = service.read_version(request.protocol_version)
    env = _keys_only(request)
    async with ports.database.transaction() as session:
        activation = await usable_activation(session, request.activation_id, request.application_ids)
        application = await usable_application(
            ports.application_cache, session, request.application_key, activation
        )
        if request.application_ids is not None and application.application_id not in request.application_ids:
            raise InvalidApplication()
        scope = Scope.APPLICATION if activation is None else Scope.ACTIVATION
        key = await _envelope_key(ports, session, scope, env, application, activation, version)
        # No MAC to verify here: the caller has the ciphertext. The value is remembered all the same.
        await replay.remember_envelope(
            ports.settings, session, UniqueValueType.ECIES_APPLICATION_SCOPE, env, request.activation_id
        )
        base = service.shared_info2_base(ports.activation_keys, application, activation)
    return DecryptorResponse(secret_key=b64encode(key), shared_info2=b64encode(base))


async def _remember(settings: CoreSettings, session: AsyncSession, env: EciesRequest) -> None:
    """One envelope, one set of keys. Before 3.2 its ephemeral key alone is what makes it unique: the MAC
    does not cover the nonce, and there is no time.
    """
    kind = UniqueValueType.ECIES_APPLICATION_SCOPE
    if env.timestamp is not None:
        await replay.remember_envelope(settings, session, kind, env)
        return
    await replay.remember(
        settings,
        session,
        kind,
        acceptable_until_ms=clock.now_ms() + UNTIMED_MEMORY_MS,
        ephemeral_public_key=env.ephemeral_public_key,
    )


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


async def _envelope_key(
    ports: Ports,
    session: AsyncSession,
    scope: Scope,
    env: EciesRequest,
    application: ApplicationFacts,
    activation: Activation | None,
    version: ProtocolVersion,
) -> EnvelopeKey:
    service.require_version(application, version)
    if env.timestamp is not None:
        replay.check_time(ports.settings, env.timestamp)
    private = await service.private_key(
        ports.cipher, ports.activation_keys, session, application, activation, env.temporary_key_id
    )
    try:
        env.check(version)
        if env.nonce is not None:
            require_length(env.nonce, NONCE_LENGTH)
        return ecies.derive_envelope_key(
            private, env.ephemeral_public_key, SharedInfo1.generic(scope), version
        )
    except ProtocolError:
        raise DecryptionFailed() from None


def _keys_only(request: DecryptorRequest) -> EciesRequest:
    """The part of an envelope that the decryptor call carries: everything but ciphertext and MAC."""
    try:
        return EciesRequest(
            temporary_key_id=request.temporary_key_id,
            ephemeral_public_key=b64decode(request.ephemeral_public_key),
            encrypted_data=b"",
            mac=b"",
            nonce=None if request.nonce is None else b64decode(request.nonce),
            timestamp=request.timestamp,
        )
    except EncodingError:
        raise InvalidRequest() from None
