"""Puts the service together."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import cache, partial

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from powerauth_push import adoption
from powerauth_push.applications.known import ApplicationNumbers
from powerauth_push.applications.routes import router as applications_router
from powerauth_push.callers.door import CallerAuthentication
from powerauth_push.callers.service import CallerCache
from powerauth_push.campaigns import repository as campaigns
from powerauth_push.campaigns.routes import router as campaigns_router
from powerauth_push.campaigns.stream import CampaignStream
from powerauth_push.cipher import SecretCipher
from powerauth_push.container import Push
from powerauth_push.core_client import CoreClient
from powerauth_push.couriers import Couriers
from powerauth_push.devices.routes import router as devices_router
from powerauth_push.dispatch import repository as messages
from powerauth_push.dispatch.dispatcher import Dispatcher
from powerauth_push.dispatch.senders import SenderFactory, Senders
from powerauth_push.documentation import document_callers
from powerauth_push.errors import PUSH_FAMILY
from powerauth_push.events import service as events
from powerauth_push.inbox.routes import router as inbox_router
from powerauth_push.master_key import service as master_key
from powerauth_push.messages.routes import router as messages_router
from powerauth_push.migrations import SCRIPT_LOCATION
from powerauth_push.settings import PushSettings
from powerauth_push.statements import repository as statements
from powerauth_push.statements.service import Statements
from powerauth_push.system.routes import router as system_router
from powerauth_push.version import VERSION
from servicekit import app as servicekit_app
from servicekit import clock, inbox, migrations
from servicekit.bus import Bus, bus_from_url
from servicekit.calls.client import NetworkTransport, ServiceClient, Timeouts, Transport
from servicekit.database import Database
from servicekit.edge.middleware import RunAgain
from servicekit.jobs import Job, JobRunner
from servicekit.master_keys import MasterKeys
from servicekit.schema_history import Schema
from servicekit.start_rules import Finding, StartRefused
from servicekit.startup import embedded_settings
from servicekit.timekeeping import keeping_time

NAME = "powerauth-push"
CLEANUP_SECONDS = 6 * 3600.0
STATEMENT_CLEANUP_SECONDS = 60.0

ROUTERS: tuple[APIRouter, ...] = (
    devices_router,
    messages_router,
    campaigns_router,
    inbox_router,
    applications_router,
    system_router,
)


def create_app(
    settings: PushSettings | None = None,
    *,
    core_transport: Transport | None = None,
    bus: Bus | None = None,
    factory: SenderFactory | None = None,
) -> FastAPI:
    """The application.

    :param core_transport: how to reach the core, by default over the network
    :param bus: a bus that others share and manage, by default one of our own by its URL
    :param factory: makes what sends, by default to the real providers
    """
    settings = settings or embedded_settings(PushSettings)
    push = build(settings, core_transport, factory)

    async def database_is_usable() -> None:
        push: Push = app.state.push
        await needed_schema().confirm(push.database)
        await master_key.REGISTRY.confirm(push.database, push.cipher.keys)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with running(app.state.push, bus):
            yield

    app = servicekit_app.create_app(
        "PowerAuth Push",
        VERSION,
        settings,
        PUSH_FAMILY,
        lifespan,
        ROUTERS,
        health=[database_is_usable],
        name=NAME,
    )
    # Inside the edge, which bounds, logs and counts refused callers too.
    app.user_middleware += [
        Middleware(CallerAuthentication, family=PUSH_FAMILY, restrict_access=settings.restrict_access),
        Middleware(RunAgain),
    ]
    if settings.restrict_access:
        document_callers(app)
    app.state.push = push
    return app


def build(
    settings: PushSettings,
    core_transport: Transport | None = None,
    factory: SenderFactory | None = None,
) -> Push:
    """The parts of the service, connected but not started."""
    database = open_database(settings)
    core = CoreClient(
        ServiceClient(
            settings.core_url,
            auth=_core_credentials(settings),
            timeouts=Timeouts(settings.http_connect_timeout, settings.http_response_timeout),
            transport=core_transport
            or NetworkTransport(max_connections=settings.http_max_connections, tls=settings.internal_tls()),
        )
    )
    cipher = SecretCipher(master_key.given_keys(settings))
    senders = Senders(database, cipher, factory or Couriers(settings), settings.clients_cache_refresh_seconds)
    dispatcher = Dispatcher(settings, database, senders, campaigns)
    return Push(
        settings=settings,
        database=database,
        core=core,
        cipher=cipher,
        applications=ApplicationNumbers(database),
        senders=senders,
        dispatcher=dispatcher,
        stream=CampaignStream(settings, database, dispatcher),
        callers=CallerCache(database, settings.caller_cache_seconds),
        statements=Statements(database, core),
    )


def open_database(settings: PushSettings) -> Database:
    """The service's database; with a master key, rows of credentials and callers are bound by it (D32)."""
    database = Database(settings.effective_database_url, settings, application_name=NAME)
    master_key.bind(database, master_key.given_keys(settings))
    return database


async def examine_keys(database: Database, settings: PushSettings) -> MasterKeys:
    """The master keys as values of the database name them, once its schema is known to be fit.

    :raises StartRefused: the schema is not that of this release, or a key is missing
    """
    await needed_schema().require(database)
    return await master_key.examine(database, master_key.given_keys(settings))


def _core_credentials(settings: PushSettings) -> tuple[str, str] | None:
    if not settings.core_username:
        return None
    return settings.core_username, settings.core_password.get_secret_value()


@cache
def needed_schema() -> Schema:
    """What this release needs of its database."""
    return Schema(
        migrations.newest(SCRIPT_LOCATION), VERSION, "powerauth db migrate push", "PUSH_DATABASE_URL"
    )


@asynccontextmanager
async def running(push: Push, shared_bus: Bus | None) -> AsyncGenerator[None]:
    """What runs beside the requests: started in the order of dependence, stopped the other way round."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(push.database.dispose)
        stack.push_async_callback(push.core.close)
        stack.push_async_callback(push.senders.close)
        if _migrates_on_start(push):
            outcome = await adoption.migrate(push.settings.migrate_url)
            if not outcome.ok:
                raise StartRefused(Finding("PUSH_DATABASE_URL", outcome.text))
        push.cipher.keys = await examine_keys(push.database, push.settings)
        await stack.enter_async_context(keeping_time(push.database))
        bus = shared_bus or bus_from_url(push.settings.bus_url.get_secret_value())
        await events.subscribe(push, bus)
        if shared_bus is None:
            await bus.start()
            stack.push_async_callback(bus.close)
        stack.push_async_callback(push.dispatcher.stop)
        if push.settings.jobs_enabled:
            push.dispatcher.start()
            push.stream.start()
            stack.push_async_callback(push.stream.stop)
            jobs = JobRunner(push.database, scheduled(push), workers=push.settings.workers)
            await jobs.start()
            stack.push_async_callback(jobs.stop)
        yield


def _migrates_on_start(push: Push) -> bool:
    chosen = push.settings.migrate_on_start
    if chosen is None:
        return push.database.dialect == "sqlite" or not push.settings.production
    return chosen


def scheduled(push: Push) -> list[Job]:
    """What keeps the tables that grow small."""
    return [
        Job("inbox-cleanup", CLEANUP_SECONDS, partial(_forget_events, push)),
        Job("statement-cleanup", STATEMENT_CLEANUP_SECONDS, partial(_forget_statements, push)),
        Job("message-cleanup", CLEANUP_SECONDS, partial(_forget_messages, push)),
    ]


async def _forget_events(push: Push) -> None:
    async with push.database.transaction() as session:
        await inbox.forget_before(session, clock.now() - inbox.RETENTION)


async def _forget_messages(push: Push) -> None:
    days = push.settings.message_retention_days
    if not days:
        return
    deleted = 1
    while deleted:
        async with push.database.transaction() as session:
            deleted = await messages.forget_records_before(session, clock.now() - timedelta(days=days))


async def _forget_statements(push: Push) -> None:
    async with push.database.transaction() as session:
        await statements.forget_before(session, clock.now() - timedelta(minutes=1))
