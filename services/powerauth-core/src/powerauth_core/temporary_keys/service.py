"""Temporary keys: issue, remove (spec/core-api.md §13, spec/protocol-v3.md §6)."""

from __future__ import annotations

import uuid

from powerauth_contracts import moments
from powerauth_contracts.enums import ActivationProtocol
from powerauth_core.activations import reads as activations
from powerauth_core.activations.reads import ApplicationIds
from powerauth_core.activations.rules import Call, permits
from powerauth_core.activations.stored import ActivationRow
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.kernel.errors import (
    ActivationNotFound,
    InvalidApplication,
    InvalidRequest,
)
from powerauth_core.temporary_keys import repository
from powerauth_core.temporary_keys.memory import TemporaryKeys
from powerauth_core.temporary_keys.ports import Ports
from powerauth_protocol.common.errors import TokenFormatError
from powerauth_protocol.common.scope import Party
from powerauth_protocol.generation import read_key_request
from powerauth_protocol.groups import KeyRequest, ServerKey
from servicekit import clock, metrics
from servicekit.database import Database

_asked = metrics.counter(
    "powerauth_temporary_keys",
    "Requests for temporary keys of known applications",
    {"application": metrics.APPLICATION, "outcome": ("issued", "refused")},
)


async def create(ports: Ports, *, jwt: str, scope: ApplicationIds = None) -> str:
    """``keystore/create``: issue a temporary key to a device that proves to know the scope's secret.

    :param jwt: of the device
    :return: the JWT with the public key
    :raises InvalidRequest: the JWT is malformed, names nothing or has a wrong MAC
    :raises InvalidApplication: the application key is missing, unknown or unsupported
    :raises ActivationNotFound: no ACTIVE or BLOCKED activation of this application
    """
    asked = _key_request(jwt)
    application = await _supported_application(ports, asked, scope)
    activation = await _activation(ports, asked.activation_id, application)
    secrets = None if activation is None else ports.activation_keys.keys_of(activation)
    if not asked.is_proved(application.secret_bytes, secrets):
        _asked.labels(application.application_id, "refused").inc()
        raise InvalidRequest()
    _asked.labels(application.application_id, "issued").inc()
    signing_key = application.master_key().private if secrets is None else secrets.server_private
    return await _issue(ports, asked, application, signing_key)


def _key_request(jwt: str) -> KeyRequest:
    try:
        return read_key_request(jwt)
    except TokenFormatError:
        raise InvalidRequest() from None


async def _issue(
    ports: Ports, asked: KeyRequest, application: ApplicationFacts, signing_key: ServerKey
) -> str:
    key_id, now_ms = str(uuid.uuid4()), clock.now_ms()
    expires_at_ms = now_ms + ports.settings.temporary_key_validity_ms
    issued = asked.answer(key_id, issued_at_ms=now_ms, expires_at_ms=expires_at_ms, signing_key=signing_key)
    party = Party(application.application_key, activation_id=asked.activation_id)
    await ports.temporary_keys.add(key_id, party, issued, moments.from_ms(expires_at_ms))
    return issued.jwt


async def remove(database: Database, keys: TemporaryKeys, key_id: str) -> None:
    """``keystore/remove``: delete the key if it is there."""
    async with database.transaction() as session:
        await repository.remove(session, key_id)
    keys.forget(key_id)


async def delete_expired(database: Database) -> int:
    """Delete keys that are not accepted any more; the job of spec/core-api.md §30.

    :return: number of deleted rows
    """
    async with database.transaction() as session:
        return await repository.delete_expired(session, clock.now())


async def _supported_application(
    ports: Ports, asked: KeyRequest, application_ids: ApplicationIds
) -> ApplicationFacts:
    if asked.application_key is None:
        raise InvalidRequest() if asked.activation_id is None else InvalidApplication()
    application = await ports.application_cache.facts(ports.database, asked.application_key)
    if application is None or not application.supported:
        raise InvalidApplication()
    if application_ids is not None and application.application_id not in application_ids:
        raise InvalidApplication()
    return application


async def _activation(
    ports: Ports, activation_id: str | None, application: ApplicationFacts
) -> ActivationRow | None:
    if activation_id is None:
        return None
    activation = await activations.find(ports.database.fetch, ports.row_macs, activation_id)
    if (
        activation is None
        or activation.protocol != ActivationProtocol.POWERAUTH
        or activation.application_id != application.application_rid
    ):
        raise ActivationNotFound()
    permits(Call.CREATE_TEMPORARY_KEY, activation.activation_status)
    return activation
