"""Puts the service together."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache, partial

from fastapi import APIRouter, FastAPI
from pydantic import SecretStr
from starlette.middleware import Middleware

from cloud_private_api import events, openapi
from cloud_private_api.accounts.directory import UserDirectory
from cloud_private_api.applications.routes import router as applications_router
from cloud_private_api.audit.routes import router as audit_router
from cloud_private_api.audit_log.service import APPLICATION_NAME, forget_before
from cloud_private_api.auth.factory import authenticator
from cloud_private_api.authenticator_metadata.routes import router as metadata_router
from cloud_private_api.callbacks.routes import router as callbacks_router
from cloud_private_api.campaigns.routes import router as campaigns_router
from cloud_private_api.container import Cloud
from cloud_private_api.core_client import CoreClient
from cloud_private_api.device_bindings.routes import router as device_bindings_router
from cloud_private_api.edge import fast_endpoints
from cloud_private_api.errors import cloud_errors
from cloud_private_api.fido2.routes import router as fido2_router
from cloud_private_api.inbox.routes import router as inbox_router
from cloud_private_api.known import ApplicationFacts, OperationTexts, PushApplications
from cloud_private_api.localizations.routes import router as localizations_router
from cloud_private_api.localizations.texts import PushTexts
from cloud_private_api.messages.routes import router as messages_router
from cloud_private_api.offline.v1.routes import router as single_offline_router
from cloud_private_api.offline.v2.routes import router as offline_router
from cloud_private_api.operations.v1.routes import router as single_operations_router
from cloud_private_api.operations.v2.routes import router as operations_router
from cloud_private_api.passkey_administration.routes import router as passkeys_router
from cloud_private_api.passwords import PasswordWorker
from cloud_private_api.properties.routes import router as properties_router
from cloud_private_api.properties.service import seed_service_base_url
from cloud_private_api.push_client import PushClient
from cloud_private_api.push_credentials.routes import router as push_credentials_router
from cloud_private_api.pushes.outbox import Outbox
from cloud_private_api.pushes.service import Announcements
from cloud_private_api.registrations.v1.routes import router as single_registrations_router
from cloud_private_api.registrations.v2.routes import router as registrations_router
from cloud_private_api.routing import guard_paths_without_route
from cloud_private_api.settings import CloudSettings
from cloud_private_api.signed_tokens.routes import router as signed_tokens_router
from cloud_private_api.telemetry.routes import router as telemetry_router
from cloud_private_api.templates.routes import router as templates_router
from cloud_private_api.users.routes import router as users_router
from cloud_private_api.users.service import seed_first_admin
from cloud_private_api.verification.routes import router as verification_router
from cloud_private_api.version import VERSION
from servicekit import app as servicekit_app
from servicekit import clock, inbox, migrations
from servicekit.audit_export.stream import AuditStream
from servicekit.bus import Bus, bus_from_url
from servicekit.callers import TrustedProxies
from servicekit.calls.client import NetworkTransport, ServiceClient, Timeouts, Transport
from servicekit.database import Database
from servicekit.edge.fast import FastEdge
from servicekit.edge.middleware import RunAgain
from servicekit.jobs import Job, JobRunner
from servicekit.schema_history import Schema
from servicekit.startup import embedded_settings
from servicekit.timekeeping import keeping_time

NAME = "powerauth-cloud"
MIGRATIONS = "cloud_private_api:migrations"
MAX_UPSTREAM_ANSWER = 16 * 1024 * 1024
CLEANUP_SECONDS = 6 * 3600.0

ROUTERS: tuple[APIRouter, ...] = (
    registrations_router,
    single_registrations_router,
    operations_router,
    offline_router,
    single_operations_router,
    single_offline_router,
    verification_router,
    messages_router,
    inbox_router,
    campaigns_router,
    audit_router,
    users_router,
    applications_router,
    push_credentials_router,
    callbacks_router,
    templates_router,
    localizations_router,
    properties_router,
    telemetry_router,
    passkeys_router,
    fido2_router,
    metadata_router,
    device_bindings_router,
    signed_tokens_router,
)


def create_app(
    settings: CloudSettings | None = None,
    *,
    core_transport: Transport | None = None,
    push_transport: Transport | None = None,
    bus: Bus | None = None,
) -> FastAPI:
    """The application.

    :param core_transport: how to reach the core, by default over the network
    :param push_transport: the same for the push service
    :param bus: a bus that others share and manage, by default one of our own by its URL
    """
    settings = settings or embedded_settings(CloudSettings)
    cloud = build(settings, core_transport, push_transport)
    runtime = _Runtime(cloud, bus)
    family = cloud_errors(cloud.authenticator.challenge)

    async def database_is_usable() -> None:
        await needed_schema().confirm(app.state.cloud.database)

    app = servicekit_app.create_app(
        title="PowerAuth Cloud",
        version=VERSION,
        settings=settings,
        family=family,
        lifespan=runtime.lifespan,
        routers=ROUTERS,
        health=[database_is_usable],
        readiness=[cloud.core.check],
        name=NAME,
    )
    app.user_middleware += [
        Middleware(FastEdge, family=family, endpoints=fast_endpoints(ROUTERS)),
        Middleware(RunAgain),
    ]
    app.state.cloud = cloud
    guard_paths_without_route(app)
    openapi.install(app, settings.security_auth_type)
    return app


def build(
    settings: CloudSettings,
    core_transport: Transport | None = None,
    push_transport: Transport | None = None,
) -> Cloud:
    """The parts of the service, connected but not started."""
    database = Database(settings.effective_database_url, settings, application_name=NAME)
    tls = settings.internal_tls()
    core = CoreClient(_core_door(settings, core_transport or _network(settings, tls)))
    push = PushClient(
        _push_door(settings, push_transport or _network(settings, tls)) if settings.push_url else None
    )
    push_applications = PushApplications(push, settings.push_cache_seconds)
    push_texts = PushTexts(
        database,
        settings.push_cache_seconds,
        (settings.push_default_title, settings.push_default_message),
        settings.push_default_language,
    )
    outbox = Outbox(database, core, push)
    users = UserDirectory(database, settings.security_auth_facts_cache_seconds)
    passwords = PasswordWorker(settings.security_auth_basic_waiting_hashes)
    return Cloud(
        settings=settings,
        database=database,
        core=core,
        push=push,
        authenticator=authenticator(settings, database, users, passwords),
        users=users,
        passwords=passwords,
        proxies=TrustedProxies(settings.trusted_proxies),
        applications=ApplicationFacts(
            core,
            size=settings.application_cache_size,
            seconds=settings.application_cache_seconds,
            registrations=settings.registration_cache_size,
        ),
        texts=OperationTexts(core, settings.text_cache_seconds),
        push_applications=push_applications,
        push_texts=push_texts,
        outbox=outbox,
        announcements=Announcements(push_applications, push_texts, outbox),
    )


def _core_door(settings: CloudSettings, transport: Transport) -> ServiceClient:
    credentials = _credentials(settings.core_username, settings.core_password)
    return _door(settings, settings.core_url, credentials, transport)


def _push_door(settings: CloudSettings, transport: Transport) -> ServiceClient:
    credentials = _credentials(settings.push_username, settings.push_password)
    return _door(settings, settings.push_url, credentials, transport)


def _door(
    settings: CloudSettings, url: str, credentials: tuple[str, str] | None, transport: Transport
) -> ServiceClient:
    return ServiceClient(
        url,
        auth=credentials,
        timeouts=Timeouts(settings.http_connect_timeout, settings.http_response_timeout),
        transport=transport,
    )


def _network(settings: CloudSettings, tls: ssl.SSLContext | None) -> Transport:
    return NetworkTransport(
        max_connections=settings.http_max_connections, max_answer_bytes=MAX_UPSTREAM_ANSWER, tls=tls
    )


def _credentials(username: str, password: SecretStr) -> tuple[str, str] | None:
    return (username, password.get_secret_value()) if username else None


async def migrate(settings: CloudSettings) -> None:
    """Bring the schema up to date."""
    await migrations.upgrade(settings.migrate_url, MIGRATIONS)


@cache
def needed_schema() -> Schema:
    """What this release needs of its database."""
    return Schema(
        migrations.newest(MIGRATIONS), VERSION, "python -m cloud_private_api migrate", "CLOUD_DATABASE_URL"
    )


async def seed(cloud: Cloud) -> None:
    """Write what the configuration gives a new installation; nothing that exists is changed."""
    settings = cloud.settings
    await seed_first_admin(
        cloud.database, settings.admin_username, settings.admin_password_encoded.get_secret_value()
    )
    await seed_service_base_url(cloud.database, settings.service_base_url)


class _Runtime:
    """What runs beside the requests."""

    def __init__(self, cloud: Cloud, shared_bus: Bus | None) -> None:
        self._cloud = cloud
        self._shared_bus = shared_bus

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncGenerator[None]:
        """Start in the order of dependence, stop the other way round."""
        cloud = self._cloud
        if _migrates_on_start(cloud):
            await migrate(cloud.settings)
        await needed_schema().require(cloud.database)
        await seed(cloud)
        bus = self._shared_bus or bus_from_url(cloud.settings.bus_url.get_secret_value())
        await events.subscribe(cloud, bus)
        jobs = JobRunner(
            cloud.database, cleanup_jobs(cloud) + export_jobs(cloud), workers=cloud.settings.workers
        )
        if self._shared_bus is None:
            await bus.start()
        await jobs.start()
        if cloud.push.configured:
            cloud.outbox.start()
        try:
            async with keeping_time(cloud.database):
                yield
        finally:
            await cloud.outbox.stop(cloud.settings.graceful_shutdown_seconds)
            await jobs.stop()
            if self._shared_bus is None:
                await bus.close()
            await cloud.authenticator.close()
            await cloud.core.close()
            await cloud.push.close()
            cloud.passwords.close()
            await cloud.database.dispose()


def _migrates_on_start(cloud: Cloud) -> bool:
    chosen = cloud.settings.migrate_on_start
    if chosen is None:
        return cloud.database.dialect == "sqlite" or not cloud.settings.production
    return chosen


def cleanup_jobs(cloud: Cloud) -> list[Job]:
    """What keeps the tables that grow small."""
    return [
        Job("inbox-cleanup", CLEANUP_SECONDS, partial(_forget_events, cloud)),
        Job("audit-cleanup", CLEANUP_SECONDS, partial(_forget_audit, cloud)),
    ]


def export_jobs(cloud: Cloud) -> list[Job]:
    """What sends the audit log elsewhere, if the settings say where."""
    settings = cloud.settings
    stream = AuditStream.of(cloud.database, settings, APPLICATION_NAME)
    if stream is None or not settings.job_audit_export_ms:
        return []
    return [Job("audit-export", settings.job_audit_export_ms / 1000, stream.run)]


async def _forget_events(cloud: Cloud) -> None:
    async with cloud.database.transaction() as session:
        await inbox.forget_before(session, clock.now() - inbox.RETENTION)


async def _forget_audit(cloud: Cloud) -> None:
    if cloud.settings.audit_cleanup_days:
        async with cloud.database.transaction() as session:
            await forget_before(session, clock.now() - timedelta(days=cloud.settings.audit_cleanup_days))
