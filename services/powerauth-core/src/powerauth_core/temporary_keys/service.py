"""Temporary keys: issue, use, remove (spec/core-api.md §13, spec/protocol-v3.md §6)."""

from __future__ import annotations

import uuid

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts import moments
from powerauth_contracts.enums import ActivationProtocol
from powerauth_core.activations import repository as activations
from powerauth_core.activations.models import Activation
from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.activations.rules import Call, permits
from powerauth_core.applications.cache import ApplicationCache, ApplicationFacts
from powerauth_core.kernel.errors import (
    ActivationNotFound,
    InvalidApplication,
    InvalidKeyFormat,
    InvalidRequest,
    TemporaryKeyMissing,
)
from powerauth_core.kernel.records import RecordCipher, temporary_key_parts
from powerauth_core.temporary_keys import repository
from powerauth_core.temporary_keys.models import TemporaryKey
from powerauth_core.temporary_keys.ports import Ports
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.errors import KeyFormatError, TokenFormatError
from powerauth_protocol.common.scope import Party
from powerauth_protocol.common.values import IssuedKey
from powerauth_protocol.generation import generation_of, read_key_request
from powerauth_protocol.groups import Envelope, EnvelopeKey, KeyRequest
from servicekit import clock, metrics
from servicekit.database import Database

_asked = metrics.counter(
    "powerauth_temporary_keys",
    "Requests for temporary keys of known applications",
    ("application", "outcome"),
)


async def create(ports: Ports, *, jwt: str, scope: ApplicationIds = None) -> str:
    """``keystore/create``: issue a temporary key to a device that proves to know the scope's secret.

    :param jwt: of the device
    :return: the JWT with the public key
    :raises InvalidRequest: the JWT is malformed, names nothing or has a wrong MAC
    :raises InvalidApplication: the application key is missing, unknown or unsupported
    :raises ActivationNotFound: no ACTIVE or BLOCKED activation of this application
    """
    async with ports.database.transaction() as session:
        return await _issue(ports, session, _key_request(jwt), scope)


def _key_request(jwt: str) -> KeyRequest:
    try:
        return read_key_request(jwt)
    except TokenFormatError:
        raise InvalidRequest() from None


async def _issue(ports: Ports, session: AsyncSession, asked: KeyRequest, scope: ApplicationIds) -> str:
    if asked.application_key is None:
        raise InvalidRequest() if asked.activation_id is None else InvalidApplication()
    application = await _supported_application(ports.application_cache, session, asked.application_key, scope)
    activation = await _activation(session, asked.activation_id, application, scope)
    secrets = None if activation is None else ports.activation_keys.keys_of(activation)
    if not asked.is_proved(application.secret_bytes, secrets):
        _asked.labels(application.application_id, "refused").inc()
        raise InvalidRequest()
    _asked.labels(application.application_id, "issued").inc()

    key_id, now_ms = str(uuid.uuid4()), clock.now_ms()
    expires_at_ms = now_ms + ports.settings.temporary_key_validity_ms
    issued = asked.answer(
        key_id,
        issued_at_ms=now_ms,
        expires_at_ms=expires_at_ms,
        signing_key=application.master_key().private if secrets is None else secrets.server_private,
    )
    party = Party(application.application_key, activation_id=asked.activation_id)
    session.add(_row(ports.cipher, key_id, party, issued, expires_at_ms))
    return issued.jwt


async def remove(database: Database, key_id: str) -> None:
    """``keystore/remove``: delete the key if it is there."""
    async with database.transaction() as session:
        await repository.remove(session, key_id)


async def find_key(
    cipher: RecordCipher, session: AsyncSession, envelope: Envelope, party: Party
) -> EnvelopeKey:
    """The temporary key that an envelope names.

    :param party: whose envelope it is
    :raises TemporaryKeyMissing: unknown, expired, or issued for something else
    :raises InvalidKeyFormat: the stored key cannot be read
    """
    key_id = envelope.temporary_key_id
    found = None if key_id is None else await repository.find(session, key_id)
    if (
        found is None
        or found.timestamp_expires < clock.now()
        or found.application_key != party.application_key
        or found.activation_id != party.activation_id
    ):
        raise TemporaryKeyMissing()
    parts = temporary_key_parts(found.id, found.application_key, found.activation_id)
    stored = cipher.decrypt(found.private_key_encryption, parts, found.private_key_base64)
    try:
        return generation_of(envelope.version).envelopes.key(stored)
    except KeyFormatError:
        raise InvalidKeyFormat() from None


async def delete_expired(database: Database) -> int:
    """Delete keys that are not accepted any more; the job of spec/core-api.md §30.

    :return: number of deleted rows
    """
    async with database.transaction() as session:
        return await repository.delete_expired(session, clock.now())


async def _supported_application(
    application_cache: ApplicationCache,
    session: AsyncSession,
    application_key: str,
    application_ids: ApplicationIds,
) -> ApplicationFacts:
    application = await application_cache.by_key(session, application_key)
    if application is None or not application.supported:
        raise InvalidApplication()
    if application_ids is not None and application.application_id not in application_ids:
        raise InvalidApplication()
    return application


async def _activation(
    session: AsyncSession,
    activation_id: str | None,
    application: ApplicationFacts,
    application_ids: ApplicationIds,
) -> Activation | None:
    if activation_id is None:
        return None
    activation = await activations.find(session, activation_id, application_ids)
    if (
        activation is None
        or activation.protocol != ActivationProtocol.POWERAUTH
        or activation.application_id != application.application_rid
    ):
        raise ActivationNotFound()
    permits(Call.CREATE_TEMPORARY_KEY, activation.activation_status)
    return activation


def _row(
    cipher: RecordCipher, key_id: str, party: Party, issued: IssuedKey, expires_at_ms: int
) -> TemporaryKey:
    parts = temporary_key_parts(key_id, party.application_key, party.activation_id)
    mode, stored = cipher.encrypt(parts, issued.private)
    return TemporaryKey(
        id=key_id,
        application_key=party.application_key,
        activation_id=party.activation_id,
        private_key_encryption=mode,
        private_key_base64=stored,
        public_key_base64=b64encode(issued.public),
        timestamp_expires=moments.from_ms(expires_at_ms),
    )
