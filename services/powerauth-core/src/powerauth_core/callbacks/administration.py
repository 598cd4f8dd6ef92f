"""Administration of callback URLs (spec/core-api.md §18.1)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.callback_authentication import HttpAuthenticationPrivate
from powerauth_contracts.durations import format_duration
from powerauth_contracts.enums import CallbackUrlType
from powerauth_core import events
from powerauth_core.applications import repository as applications
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.callbacks import repository
from powerauth_core.callbacks.authentication import (
    keep_secrets,
    store_authentication,
    stored_authentication,
)
from powerauth_core.callbacks.certificates import CertificateUnusable, check_locations
from powerauth_core.callbacks.dispatcher import CallbackDispatcher
from powerauth_core.callbacks.models import CallbackUrl
from powerauth_core.callbacks.ports import Ports
from powerauth_core.kernel.base import json_text
from powerauth_core.kernel.egress import AddressRefused, Egress, EgressRefused
from powerauth_core.kernel.errors import InvalidApplication, InvalidRequest, InvalidUrl
from powerauth_core.settings import CoreSettings
from servicekit import clock
from servicekit.database import Database, after_commit
from servicekit.kept_secrets import CALLBACK_SECRETS, HINT, to_be_given_anew

MAX_ATTRIBUTES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the bank decides about a callback. None for a number or duration means the global default.

    :ivar application_id: public id of the application that it belongs to
    """

    application_id: str
    name: str
    type: CallbackUrlType
    url: str
    attributes: list[str]
    authentication: HttpAuthenticationPrivate | None
    retention: timedelta | None
    initial_backoff: timedelta | None
    max_attempts: int | None


@dataclass(frozen=True, slots=True)
class Configured:
    """A stored callback, the public id of its application, and its authentication in clear."""

    row: CallbackUrl
    application_id: str
    authentication: HttpAuthenticationPrivate = field(repr=False)


async def create_callback(ports: Ports, wanted: Settings, scope: Sequence[str] | None) -> Configured:
    """Configure a callback.

    :raises InvalidUrl: the URL cannot be called
    :raises InvalidApplication: unknown application, or one out of scope
    :raises InvalidRequest: attributes too long, or unusable authentication
    """
    _check_url(ports.egress, wanted.url)
    _check_settings(ports.settings, ports.egress, wanted)
    async with ports.database.transaction() as session:
        application = await applications.find_by_name(session, wanted.application_id)
        if application is None or not _in_scope(application.name, scope):
            raise InvalidApplication
        row = CallbackUrl(id=str(uuid.uuid4()), application_id=application.id, timestamp_created=clock.now())
        authentication = wanted.authentication or HttpAuthenticationPrivate()
        _assign(row, wanted)
        store_authentication(ports.cipher, row, wanted.application_id, authentication)
        session.add(row)
        await session.flush()
        await _announce(ports.callbacks, session, "Callback URL created", row, wanted.application_id)
    return Configured(row, wanted.application_id, authentication)


async def update_callback(
    ports: Ports, callback_id: str, wanted: Settings, scope: Sequence[str] | None
) -> Configured:
    """Overwrite a callback; secrets that are left out keep their stored value.

    :raises InvalidRequest: unknown callback, or one of another application or out of scope, or a secret is
        to be kept although it would go to another address (D29)
    :raises InvalidUrl: the URL cannot be called
    """
    async with ports.database.transaction() as session:
        row = await repository.lock(session, ports.database.dialect, callback_id)
        application = await applications.find_by_name(session, wanted.application_id)
        if row is None or application is None or row.application_id != application.id:
            raise InvalidRequest
        if not _in_scope(application.name, scope):
            raise InvalidRequest
        _check_url(ports.egress, wanted.url)
        _check_settings(ports.settings, ports.egress, wanted)
        authentication = HttpAuthenticationPrivate()
        if wanted.authentication is not None:
            stored = stored_authentication(ports.cipher, row, wanted.application_id)
            _check_kept_secrets(row, stored, wanted)
            authentication = keep_secrets(wanted.authentication, stored)
        _assign(row, wanted)
        store_authentication(ports.cipher, row, wanted.application_id, authentication)
        row.timestamp_last_updated = clock.now()
        await session.flush()
        await _announce(ports.callbacks, session, "Callback URL updated", row, wanted.application_id)
    return Configured(row, wanted.application_id, authentication)


async def list_callbacks(ports: Ports, application_id: str, scope: Sequence[str] | None) -> list[Configured]:
    """The enabled callbacks of an application by name; none for an unknown application."""
    async with ports.database.read() as session:
        application = await applications.find_by_name(session, application_id)
        if application is None or not _in_scope(application.name, scope):
            return []
        rows = await repository.list_of_application(session, application.id)
    # One that others have written is shown, so that it can be removed.
    return [
        Configured(
            row,
            application.name,
            stored_authentication(ports.cipher, row, application.name)
            if row.sound
            else HttpAuthenticationPrivate(),
        )
        for row in rows
    ]


async def remove_callback(
    database: Database, callbacks: CallbackDispatcher, callback_id: str, scope: Sequence[str] | None
) -> bool:
    """Switch a callback off; events that refer to it remain.

    :return: whether there was one
    """
    async with database.transaction() as session:
        # Locked, since the MAC is made of all that was read.
        await repository.lock(session, database.dialect, callback_id)
        found = await repository.find(session, callback_id)
        if found is None or not _in_scope(found.application_id, scope):
            return False
        found.row.enabled = False
        found.row.timestamp_last_updated = clock.now()
        await session.flush()
        await _announce(callbacks, session, "Callback URL removed", found.row, found.application_id)
    return True


def _in_scope(application_id: str, scope: Sequence[str] | None) -> bool:
    return scope is None or application_id in scope


def _check_url(egress: Egress, url: str) -> None:
    try:
        egress.policy.check_url(url)
    except AddressRefused as error:
        raise InvalidUrl(f"Invalid URL: {error}.") from None
    except EgressRefused:
        raise InvalidUrl from None


def _check_settings(settings: CoreSettings, egress: Egress, wanted: Settings) -> None:
    if len(json_text(wanted.attributes)) > MAX_ATTRIBUTES:
        raise InvalidRequest("requestObject.attributes - too long")
    authentication = wanted.authentication
    if authentication is None:
        return
    try:
        if authentication.certificate is not None:
            check_locations(settings.callbacks_certificate_directory, authentication.certificate)
        if authentication.oauth2 is not None and authentication.oauth2.enabled:
            egress.policy.check_url(authentication.oauth2.token_uri or "")
    except CertificateUnusable as error:
        raise InvalidRequest(f"requestObject.authentication.certificate - {error}") from None
    except EgressRefused as error:
        raise InvalidRequest(f"requestObject.authentication.oauth2.tokenUri - {error}") from None


def _check_kept_secrets(row: CallbackUrl, stored: HttpAuthenticationPrivate, wanted: Settings) -> None:
    old = {"callbackUrl": row.callback_url, "authentication": stored.model_dump(by_alias=True)}
    given = wanted.authentication
    new = {"callbackUrl": wanted.url, "authentication": given and given.model_dump(by_alias=True)}
    names = to_be_given_anew(CALLBACK_SECRETS, old, new)
    if names:
        raise InvalidRequest(", ".join([f"requestObject.{name}" for name in names]) + f" - {HINT}")


def _assign(row: CallbackUrl, wanted: Settings) -> None:
    def text(duration: timedelta | None) -> str | None:
        return None if duration is None else format_duration(duration)

    row.name = wanted.name
    row.type = wanted.type.value
    row.callback_url = wanted.url
    row.attributes = wanted.attributes
    row.max_attempts = wanted.max_attempts
    row.initial_backoff = text(wanted.initial_backoff)
    row.retention_period = text(wanted.retention)


async def _announce(
    callbacks: CallbackDispatcher, session: AsyncSession, message: str, row: CallbackUrl, application_id: str
) -> None:
    """Audit the change and make every process read its callbacks again."""
    params = {
        "applicationId": application_id,
        "callbackId": row.id,
        "name": row.name,
        "type": row.type,
        "callbackUrl": row.callback_url,
    }
    await audit.record(session, AuditType.CALLBACK, message, params, None)
    await events.application_changed(session, application_id, "config")
    after_commit(session, callbacks.recheck)
