"""The scheduled jobs (spec/core-api.md §30). Each runs on one replica at a time and can be run by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from powerauth_core.activations import expiry
from powerauth_core.attempts import service as attempts
from powerauth_core.audit import partitions, retention
from powerauth_core.binding_tickets import service as binding_tickets
from powerauth_core.fido_metadata import watching
from powerauth_core.jwt import key_administration, sessions
from powerauth_core.operations import limits
from powerauth_core.operations import service as operations
from powerauth_core.passkey_sessions import expiry as passkey_sessions
from powerauth_core.replay import service as replay
from powerauth_core.temporary_keys import service as temporary_keys
from servicekit.jobs import Job, JobRunner

if TYPE_CHECKING:
    from powerauth_core.container import Core

CREATE_AUDIT_PARTITIONS = "createAuditPartitions"
WATCH_PASSKEY_FILES = "watchPasskeyFiles"
REVALIDATE_PASSKEYS = "revalidatePasskeys"


def all_jobs(core: Core) -> list[Job]:
    """Every job, the original's under their names in its lock table; a period of zero is never scheduled."""
    settings = core.settings
    periods_ms = {
        "expireActivationsTask": settings.job_activations_cleanup_ms,
        "expireOperationsTask": settings.job_operation_cleanup_ms,
        "expireUniqueValuesTask": settings.job_unique_value_cleanup_ms,
        "expireTemporaryKeys": settings.job_temporary_key_cleanup_ms,
        "dispatchPendingCallbackUrlEvents": settings.job_dispatch_pending_callbacks_ms,
        "rerunStaleCallbackUrlEvents": settings.job_rerun_stale_callbacks_ms,
        "cleanCallbackUrlEvents": settings.job_callbacks_cleanup_ms,
        "cleanAuditLog": settings.job_audit_cleanup_ms,
        "cleanSignedTokens": settings.job_jwt_cleanup_ms,
        "rotateSigningKeys": settings.job_jwt_rotation_ms,
        "cleanBindingTickets": settings.job_ticket_cleanup_ms,
        "cleanFingerprints": settings.job_fingerprint_cleanup_ms,
        CREATE_AUDIT_PARTITIONS: settings.job_audit_partitions_ms,
        "applyAuditRetention": settings.job_audit_retention_ms,
        WATCH_PASSKEY_FILES: settings.job_passkey_files_ms,
        REVALIDATE_PASSKEYS: settings.job_passkey_revalidation_ms,
        "exportAudit": settings.job_audit_export_ms if core.audit_stream else 0,
    }
    return [Job(name, period / 1000, partial(_WORK[name], core)) for name, period in periods_ms.items()]


def scheduled_jobs(core: Core) -> JobRunner:
    """The runner of the jobs that have a period."""
    scheduled = [
        replace(job, run=partial(_BY_THE_CLOCK.get(job.name, _WORK[job.name]), core))
        for job in all_jobs(core)
        if job.period_seconds > 0
    ]
    return JobRunner(core.database, scheduled, workers=core.settings.workers)


async def run_job(core: Core, name: str) -> bool:
    """Run a job now, also one that is never scheduled; False when another replica is running it.

    :raises KeyError: unknown job
    """
    return await JobRunner(core.database, all_jobs(core)).run_once(name)


def _create_audit_partitions(core: Core) -> Awaitable[object]:
    return partitions.create_ahead(core.database, core.settings.audit_partitions_ahead_months)


def _expire_operations(core: Core) -> Awaitable[object]:
    return operations.expire_operations(
        core.database, core.listeners, core.settings.job_expire_operations_limit
    )


async def _export_audit(core: Core) -> None:
    if core.audit_stream is not None:
        await core.audit_stream.run()


async def revalidate_passkeys(core: Core, *, force: bool) -> bool:
    """Look at stored attestations now; False when another replica is doing so.

    :param force: change however many it is
    """
    work = partial(_revalidate_passkeys, core, force=force)
    return await JobRunner(core.database, [Job(REVALIDATE_PASSKEYS, 0, work)]).run_once(REVALIDATE_PASSKEYS)


async def _revalidate_passkeys(core: Core, *, force: bool = False) -> None:
    from powerauth_core.passkey_revalidation import revalidation  # noqa: PLC0415 - certificates: costs a start

    await revalidation.run(core, force=force)


async def _revalidate_passkeys_when_due(core: Core) -> None:
    from powerauth_core.passkey_revalidation import revalidation  # noqa: PLC0415 - as above

    await revalidation.run_when_due(core)


async def _delete_unseen_fingerprints(core: Core) -> None:
    from powerauth_core.fingerprint_records import service  # noqa: PLC0415 - models of a payload, for devices

    await service.delete_unseen(core.database, core.settings.fingerprint_retention_days)


async def _expire_unique_values(core: Core) -> None:
    await replay.delete_expired(core.database)
    await limits.drop_idle(core.database)
    await attempts.delete_old(core.database)
    await passkey_sessions.delete_old(core.database)


_WORK: dict[str, Callable[[Core], Awaitable[object]]] = {
    "expireActivationsTask": expiry.expire_overdue,
    "expireOperationsTask": _expire_operations,
    "expireUniqueValuesTask": _expire_unique_values,
    "expireTemporaryKeys": lambda core: temporary_keys.delete_expired(core.database),
    "dispatchPendingCallbackUrlEvents": lambda core: core.callbacks.dispatch_pending(),
    "rerunStaleCallbackUrlEvents": lambda core: core.callbacks.rerun_stale(),
    "cleanCallbackUrlEvents": lambda core: core.callbacks.delete_finished(),
    "cleanAuditLog": retention.clean_audit_log,
    "cleanSignedTokens": sessions.delete_expired,
    "rotateSigningKeys": key_administration.rotate_due,
    "cleanBindingTickets": lambda core: binding_tickets.delete_expired(core.database),
    "cleanFingerprints": _delete_unseen_fingerprints,
    CREATE_AUDIT_PARTITIONS: _create_audit_partitions,
    "applyAuditRetention": retention.apply_retention,
    WATCH_PASSKEY_FILES: watching.watch,
    REVALIDATE_PASSKEYS: _revalidate_passkeys,
    "exportAudit": _export_audit,
}
_BY_THE_CLOCK: dict[str, Callable[[Core], Awaitable[object]]] = {
    REVALIDATE_PASSKEYS: _revalidate_passkeys_when_due
}
"""Jobs that find out themselves whether their time of the day has come; by name they run now."""

JOB_NAMES = tuple(_WORK)
"""Names of all jobs."""
