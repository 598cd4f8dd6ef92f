"""Administration of callback URLs (spec/core-api.md §18.1)."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.durations import format_duration
from powerauth_contracts.rest.callbacks import (
    CallbackUrlDetail,
    CallbackUrlSettings,
    CreateCallbackUrlRequest,
    HttpAuthenticationPrivate,
    ListCallbackUrlsRequest,
    ListCallbackUrlsResponse,
    RemoveCallbackUrlRequest,
    RemoveCallbackUrlResponse,
    UpdateCallbackUrlRequest,
)
from powerauth_core import events
from powerauth_core.applications import repository as applications
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.callbacks import repository
from powerauth_core.callbacks.authentication import (
    keep_secrets,
    public_form,
    store_authentication,
    stored_authentication,
)
from powerauth_core.callbacks.certificates import CertificateUnusable, check_locations
from powerauth_core.callbacks.clients import retry_policy
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


async def create_callback(ports: Ports, request: CreateCallbackUrlRequest) -> CallbackUrlDetail:
    """Configure a callback.

    :raises InvalidUrl: the URL cannot be called
    :raises InvalidApplication: unknown application, or one out of scope
    :raises InvalidRequest: attributes too long, or unusable authentication
    """
    _check_url(ports.egress, request.callback_url)
    _check_settings(ports.settings, ports.egress, request)
    async with ports.database.transaction() as session:
        application = await applications.find_by_name(session, request.application_id)
        if application is None or not _in_scope(application.name, request.application_ids):
            raise InvalidApplication
        row = CallbackUrl(id=str(uuid.uuid4()), application_id=application.id, timestamp_created=clock.now())
        authentication = request.authentication or HttpAuthenticationPrivate()
        _assign(row, request)
        store_authentication(ports.cipher, row, request.application_id, authentication)
        session.add(row)
        await session.flush()
        await _announce(ports.callbacks, session, "Callback URL created", row, request.application_id)
    return _detail(ports.settings, row, request.application_id, authentication)


async def update_callback(ports: Ports, request: UpdateCallbackUrlRequest) -> CallbackUrlDetail:
    """Overwrite a callback; secrets that are left out keep their stored value.

    :raises InvalidRequest: unknown callback, or one of another application or out of scope, or a secret is
        to be kept although it would go to another address (D29)
    :raises InvalidUrl: the URL cannot be called
    """
    async with ports.database.transaction() as session:
        row = await repository.lock(session, ports.database.dialect, request.id)
        application = await applications.find_by_name(session, request.application_id)
        if row is None or application is None or row.application_id != application.id:
            raise InvalidRequest
        if not _in_scope(application.name, request.application_ids):
            raise InvalidRequest
        _check_url(ports.egress, request.callback_url)
        _check_settings(ports.settings, ports.egress, request)
        authentication = HttpAuthenticationPrivate()
        if request.authentication is not None:
            stored = stored_authentication(ports.cipher, row, request.application_id)
            _check_kept_secrets(row, stored, request)
            authentication = keep_secrets(request.authentication, stored)
        _assign(row, request)
        store_authentication(ports.cipher, row, request.application_id, authentication)
        row.timestamp_last_updated = clock.now()
        await session.flush()
        await _announce(ports.callbacks, session, "Callback URL updated", row, request.application_id)
    return _detail(ports.settings, row, request.application_id, authentication)


async def list_callbacks(ports: Ports, request: ListCallbackUrlsRequest) -> ListCallbackUrlsResponse:
    """The enabled callbacks of an application by name; none for an unknown application."""
    details: list[CallbackUrlDetail] = []
    async with ports.database.read() as session:
        application = await applications.find_by_name(session, request.application_id)
        if application is not None and _in_scope(application.name, request.application_ids):
            for row in await repository.list_of_application(session, application.id):
                authentication = HttpAuthenticationPrivate()
                if row.sound:  # one that others have written is shown, so that it can be removed
                    authentication = stored_authentication(ports.cipher, row, application.name)
                details.append(_detail(ports.settings, row, application.name, authentication))
    return ListCallbackUrlsResponse(callback_url_list=details)


async def remove_callback(
    database: Database, callbacks: CallbackDispatcher, request: RemoveCallbackUrlRequest
) -> RemoveCallbackUrlResponse:
    """Switch a callback off; events that refer to it remain."""
    async with database.transaction() as session:
        # Locked, since the MAC is made of all that was read.
        await repository.lock(session, database.dialect, request.id)
        found = await repository.find(session, request.id)
        if found is None or not _in_scope(found.application_id, request.application_ids):
            return RemoveCallbackUrlResponse(id=request.id, removed=False)
        found.row.enabled = False
        found.row.timestamp_last_updated = clock.now()
        await session.flush()
        await _announce(callbacks, session, "Callback URL removed", found.row, found.application_id)
    return RemoveCallbackUrlResponse(id=request.id, removed=True)


def _in_scope(application_id: str, application_ids: list[str] | None) -> bool:
    return application_ids is None or application_id in application_ids


def _check_url(egress: Egress, url: str) -> None:
    try:
        egress.policy.check_url(url)
    except AddressRefused as error:
        raise InvalidUrl(f"Invalid URL: {error}.") from None
    except EgressRefused:
        raise InvalidUrl from None


def _check_settings(settings: CoreSettings, egress: Egress, request: CallbackUrlSettings) -> None:
    if len(json_text(request.attributes or [])) > MAX_ATTRIBUTES:
        raise InvalidRequest("requestObject.attributes - too long")
    authentication = request.authentication
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


def _check_kept_secrets(
    row: CallbackUrl, stored: HttpAuthenticationPrivate, request: CallbackUrlSettings
) -> None:
    old = {"callbackUrl": row.callback_url, "authentication": stored.model_dump(by_alias=True)}
    new = request.model_dump(by_alias=True, include={"callback_url", "authentication"})
    names = to_be_given_anew(CALLBACK_SECRETS, old, new)
    if names:
        raise InvalidRequest(", ".join([f"requestObject.{name}" for name in names]) + f" - {HINT}")


def _assign(row: CallbackUrl, request: CallbackUrlSettings) -> None:
    def text(duration: timedelta | None) -> str | None:
        return None if duration is None else format_duration(duration)

    row.name = request.name
    row.type = request.type.value
    row.callback_url = request.callback_url
    row.attributes = request.attributes or []
    row.max_attempts = request.max_attempts
    row.initial_backoff = text(request.initial_backoff)
    row.retention_period = text(request.retention_period)


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
    after_commit(session, callbacks.clients.recheck)


def _detail(
    settings: CoreSettings, row: CallbackUrl, application_id: str, authentication: HttpAuthenticationPrivate
) -> CallbackUrlDetail:
    policy = retry_policy(settings, row)
    return CallbackUrlDetail(
        id=row.id,
        application_id=application_id,
        name=row.name,
        type=row.type,
        callback_url=row.callback_url,
        attributes=list(row.attributes or ()),
        authentication=public_form(authentication),
        retention_period=policy.retention,
        initial_backoff=policy.initial_backoff,
        max_attempts=policy.max_attempts,
    )
