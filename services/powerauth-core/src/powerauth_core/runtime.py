"""Starting and stopping a core: the order in which its parts depend on each other."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache, partial

from sqlalchemy.exc import SQLAlchemyError

from powerauth_core import __version__, events, jobs
from powerauth_core.activations.history import ActivationChanges
from powerauth_core.activations.keys import ActivationKeyCache
from powerauth_core.activations.writing import ActivationWriter
from powerauth_core.adoption import service as adoption
from powerauth_core.applications.cache import ApplicationCache
from powerauth_core.audit import service as audit
from powerauth_core.audit.chain.keys import ChainKeys
from powerauth_core.audit.row_alarms import RowAlarms
from powerauth_core.callbacks.clients import CallbackClients
from powerauth_core.callbacks.dispatcher import CallbackDispatcher
from powerauth_core.callbacks.service import CallbackOutbox
from powerauth_core.callbacks.subscriptions import KnownSubscriptions
from powerauth_core.container import Core
from powerauth_core.envelopes.spending import EnvelopeSpending
from powerauth_core.fido2.authenticators import AuthenticatorModels
from powerauth_core.fido2.writing import SignInWriter
from powerauth_core.fido_metadata import watching
from powerauth_core.fido_metadata.memory import FidoMetadata
from powerauth_core.integrations.callers import CallerCache
from powerauth_core.jwt.keys import JwtKeys
from powerauth_core.jwt.proved_secrets import ProvedSecrets
from powerauth_core.kernel.changes import Listeners
from powerauth_core.kernel.egress import Egress
from powerauth_core.kernel.hashing import PasswordHashes
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.master_key import service as master_key
from powerauth_core.master_key.repository import binding_in
from powerauth_core.master_key.service import Examined
from powerauth_core.migrations import SCRIPT_LOCATION
from powerauth_core.operations.creator import OperationCreator
from powerauth_core.operations.records import OperationRecords
from powerauth_core.passkey_administration.sign_ins import allows as passkeys_allow
from powerauth_core.passkey_policies.cache import PasskeyPolicies
from powerauth_core.providers.discovery import DiscoveryCache
from powerauth_core.recovery import lifecycle as recovery
from powerauth_core.settings import CoreSettings
from powerauth_core.telemetry import changes as figures
from powerauth_core.templates.cache import TemplateCache
from powerauth_core.temporary_keys.memory import TemporaryKeys
from powerauth_core.tokens.validator import TokenValidator
from powerauth_core.verification.engine import Stores, Verifier
from servicekit import migrations
from servicekit.audit_export.stream import AuditStream
from servicekit.bus import Bus, Event, bus_from_url
from servicekit.database import Database
from servicekit.errors import Unavailable
from servicekit.logs import get_logger
from servicekit.master_keys import MasterKeys
from servicekit.outbox import OutboxRelay
from servicekit.replicas import ReadDatabase
from servicekit.row_macs import SESSION_KEY, RowMacs
from servicekit.schema_history import Schema
from servicekit.start_rules import Finding, StartRefused
from servicekit.timekeeping import keeping_time

log = get_logger(__name__)


@asynccontextmanager
async def running_core(settings: CoreSettings, bus: Bus | None = None) -> AsyncGenerator[Core]:
    """A core that serves and works in the background until the block ends.

    :param bus: a bus that others in this process use too; it is neither started nor closed here
    :raises StartRefused: the database is the original's, its schema is older than this release or too new for
        it, or the master key is not that of the database
    """
    async with AsyncExitStack() as stack:
        url = settings.database_url.get_secret_value()
        database = Database(url, settings, application_name="powerauth-core")
        stack.push_async_callback(database.dispose)
        if _migrates(settings, database):
            outcome = await adoption.migrate(settings.migrate_url)
            if not outcome.ok:
                raise StartRefused(Finding("CORE_DATABASE_URL", outcome.text))
        await needed_schema().require(database)
        await stack.enter_async_context(keeping_time(database))
        examined = await master_key.examine(database, given_keys(settings))
        bus_used = bus or bus_from_url(settings.bus_url.get_secret_value())
        core = build_core(settings, database, bus_used, examined)
        stack.push_async_callback(core.row_alarms.stop)
        stack.push_async_callback(core.egress.close)
        stack.callback(core.hashes.close)
        await core.reading.start()
        stack.push_async_callback(core.reading.stop)
        await _follow_changes(core)
        if bus is None:
            await core.bus.start()
            stack.push_async_callback(core.bus.close)
        await core.fido_metadata.start()
        stack.push_async_callback(core.fido_metadata.stop)
        await core.relay.start()
        stack.push_async_callback(core.relay.stop)
        stack.push_async_callback(core.callbacks.stop)
        stack.push_async_callback(core.operation_creator.close)
        stack.push_async_callback(core.activation_writer.close)
        stack.push_async_callback(core.sign_in_writer.close)
        stack.push_async_callback(core.envelope_spending.close)
        stack.push_async_callback(core.verifier.close)
        stack.push_async_callback(core.token_validator.close)
        if settings.jobs_enabled:
            await _run_first(core)
            await core.jobs.start()
            stack.push_async_callback(core.jobs.stop)
        yield core


@asynccontextmanager
async def offline_database(settings: CoreSettings) -> AsyncGenerator[Database]:
    """The core's database for work that needs no key of the core, and may be done by who has none."""
    url = settings.database_url.get_secret_value()
    database = Database(url, settings, application_name="powerauth-core-cli")
    try:
        yield database
    finally:
        await database.dispose()


@asynccontextmanager
async def offline_core(settings: CoreSettings) -> AsyncGenerator[Core]:
    """A core for one piece of work beside the running ones, which publish the events that it leaves.

    :raises StartRefused: the master key is not that of the database
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(offline_database(settings))
        examined = await master_key.examine(database, given_keys(settings))
        core = build_core(settings, database, bus_from_url(""), examined)
        stack.push_async_callback(core.row_alarms.stop)
        stack.push_async_callback(core.egress.close)
        stack.callback(core.hashes.close)
        stack.push_async_callback(core.callbacks.stop)
        yield core


def given_keys(settings: CoreSettings) -> MasterKeys:
    """The master keys of the settings."""
    return MasterKeys(settings.master_key, settings.previous_master_keys)


def build_core(settings: CoreSettings, database: Database, bus: Bus, examined: Examined) -> Core:
    """The parts of a core, nothing started.

    :param examined: what the database says of the master keys
    """
    alarms = RowAlarms(database)
    macs = RowMacs(
        examined.keys,
        examined.binding,
        required=settings.require_bound_rows,
        ask=binding_in,
        report=alarms.report,
    )
    database.session_info[SESSION_KEY] = macs
    cipher = RecordCipher(examined.keys, reads_clear=not macs.required)
    egress = Egress(settings)
    clients = CallbackClients(settings, database, cipher, egress)
    callbacks = CallbackDispatcher(settings, database, clients, KnownSubscriptions(settings, bus))
    applications = ApplicationCache(
        cipher,
        capacity=settings.application_cache_size,
        seconds=settings.application_cache_seconds,
        minimum_protocol_version=settings.minimum_protocol_version,
    )
    listeners = _listeners(callbacks)
    core = Core(
        settings=settings,
        database=database,
        reading=ReadDatabase.of(database, settings, "powerauth-core"),
        bus=bus,
        relay=OutboxRelay(database, bus),
        cipher=cipher,
        row_macs=macs,
        row_alarms=alarms,
        chain_keys=ChainKeys.of(settings.chain_secrets, examined.chain_keys),
        application_cache=applications,
        passkey_policies=PasskeyPolicies(
            cipher,
            applications,
            capacity=settings.application_cache_size,
            seconds=settings.passkey_policy_cache_seconds,
            dev_mode=settings.passkey_dev_mode,
        ),
        template_cache=TemplateCache(
            capacity=settings.application_cache_size,
            seconds=settings.application_cache_seconds,
            bus=bus,
        ),
        activation_keys=ActivationKeyCache(cipher, settings.activation_key_cache_size),
        callers=CallerCache(database, cipher, settings.caller_cache_seconds),
        jwt_keys=JwtKeys(cipher, settings),
        proved_secrets=ProvedSecrets(),
        hashes=PasswordHashes(settings.waiting_hashes),
        egress=egress,
        discovery=DiscoveryCache(),
        fido_metadata=FidoMetadata(settings, database),
        callbacks=callbacks,
        audit_stream=AuditStream.of(database, settings, audit.APPLICATION_NAME),
        listeners=listeners,
        changes=ActivationChanges(applications, listeners),
        operation_records=OperationRecords(database, listeners),
        authenticator_models=AuthenticatorModels(
            database, settings.fido2_authenticator_cache_eviction_ms / 1000
        ),
    )
    core.operation_creator = OperationCreator(core)
    core.activation_writer = ActivationWriter(core)
    core.sign_in_writer = SignInWriter(core)
    core.temporary_keys = TemporaryKeys(core)
    core.envelope_spending = EnvelopeSpending(core)
    core.verifier = Verifier(core, Stores.of(core, core.operation_records))
    core.token_validator = TokenValidator(core)
    core.session_checks = (partial(passkeys_allow, core),)
    core.jobs = jobs.scheduled_jobs(core)
    return core


def _listeners(callbacks: CallbackDispatcher) -> Listeners:
    """Who hears of changes, in the order in which they are told."""
    return Listeners(
        activations=(recovery.activations_changed,),
        keepers=(
            recovery.Keeper(),
            audit.Keeper(),
            events.Keeper(),
            CallbackOutbox(callbacks),
            figures.Keeper(),
        ),
        subscriptions=callbacks.subscriptions,
        passkeys=(audit.Keeper(), CallbackOutbox(callbacks)),
    )


async def _follow_changes(core: Core) -> None:
    """Forget what other processes changed."""

    async def forget_applications(_event: Event) -> None:
        core.application_cache.clear()
        core.callbacks.recheck()

    async def forget_templates(_event: Event) -> None:
        core.template_cache.clear()

    async def forget_signing_keys(_event: Event) -> None:
        core.jwt_keys.clear()

    await core.bus.subscribe_broadcast([events.APPLICATION_CHANGED], forget_applications)
    await core.bus.subscribe_broadcast([events.SIGNING_KEY_CHANGED], forget_signing_keys)
    await core.bus.subscribe_broadcast([events.TEMPLATE_CHANGED], forget_templates)


@cache
def needed_schema() -> Schema:
    """What this release needs of its database."""
    return Schema(
        migrations.newest(SCRIPT_LOCATION), __version__, "powerauth db migrate", "CORE_DATABASE_URL"
    )


def _migrates(settings: CoreSettings, database: Database) -> bool:
    if settings.migrate_on_start is not None:
        return settings.migrate_on_start
    return database.dialect == "sqlite" or not settings.production


async def _run_first(core: Core) -> None:
    """What does not wait for its job's time: the audits' months, and the metadata that is watched."""
    settings = core.settings
    watches = settings.mds_source == watching.FILE and settings.job_passkey_files_ms
    wanted = {
        jobs.CREATE_AUDIT_PARTITIONS: settings.job_audit_partitions_ms,
        jobs.WATCH_PASSKEY_FILES: watches,
    }
    for name in (name for name, scheduled in wanted.items() if scheduled):
        try:
            await jobs.run_job(core, name)
        except (Unavailable, SQLAlchemyError) as error:
            # Rows go to the default partition meanwhile, metadata stays as it is, and the job tries again.
            log.error("first run of a job failed", job=name, error=type(error).__name__)
