"""What an operator does beside a running core; the same for ``python -m powerauth_core`` and ``powerauth``.

Each works on the database of the settings and may run while others serve from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from powerauth_core import jobs
from powerauth_core.adoption import service
from powerauth_core.audit.chain.keys import ChainKeys
from powerauth_core.master_key.service import Bound, bind_rows
from powerauth_core.master_key.service import accept_rows as bind_accepted_rows
from powerauth_core.reencryption import encrypt_stored_secrets
from powerauth_core.runtime import build_core, offline_core, offline_database
from powerauth_core.settings import CoreSettings
from powerauth_core.tamper_check import checkpoints
from powerauth_core.tamper_check import service as chain
from powerauth_core.tamper_check.checkpoints import CheckpointUnusable
from servicekit.bus import bus_from_url
from servicekit.commands import Outcome
from servicekit.row_macs import RowBinding

NEEDS = ("database_url",)
"""The settings that every command works with."""
NEEDS_OF_SECRETS = (*NEEDS, "master_encryption_key")
"""The settings of commands that store secrets."""

_NOT_CHAINED = "No key is configured (CORE_AUDIT_CHAIN_KEY, CORE_MASTER_ENCRYPTION_KEY): not chained."


async def migrate(settings: CoreSettings) -> Outcome:
    """Bring the database to the current schema."""
    return await service.migrate(settings.migrate_url)


async def adopt(settings: CoreSettings, *, check_only: bool = False) -> Outcome:
    """Take over a database of the original, or only say whether that would go."""
    return await service.adopt(settings.migrate_url, settings.master_key, check_only=check_only)


async def check(settings: CoreSettings) -> Outcome:
    """Whether the schema is the current one, or the original's and fit for adoption."""
    return await service.check(settings.migrate_url, settings.master_key)


async def encrypt(settings: CoreSettings) -> Outcome:
    """Encrypt the secrets that are stored in clear."""
    if settings.master_key is None:
        return Outcome(False, "No master encryption key is configured.")
    # What is in clear must be read once more before it can be refused for good.
    reading = settings.model_copy(update={"require_bound_rows": False})
    async with offline_core(reading) as core:
        done = await encrypt_stored_secrets(core)
        bound = await bind_rows(core.database, settings.master_key)
    lines = [f"{name}: {one.encrypted} encrypted, {one.unreadable} unreadable" for name, one in done.items()]
    lines += [f"{name}: {table.rows} rows bound" for name, table in bound.items()]
    lines += _changed(bound)
    fine = not any(one.unreadable for one in done.values()) and not any(one.changed for one in bound.values())
    return Outcome(fine, "\n".join(lines))


async def accept_rows(settings: CoreSettings) -> Outcome:
    """Bind rows that others have written, as they are."""
    if settings.master_key is None:
        return Outcome(False, "No master encryption key is configured.")
    async with offline_core(settings) as core:
        accepted = await bind_accepted_rows(core.database, settings.master_key)
    return Outcome(True, "\n".join(_changed(accepted)) or "Every row is as the core left it.")


def _changed(bound: Mapping[str, Bound]) -> list[str]:
    return [f"{name}: {row} was written by others" for name, table in bound.items() for row in table.changed]


async def list_jobs(settings: CoreSettings) -> Outcome:
    """The scheduled jobs with their periods."""
    async with offline_database(settings) as database:
        core = build_core(settings, database, bus_from_url(""), RowBinding.OFF)
        periods = [(job.name, job.period_seconds) for job in jobs.all_jobs(core)]
    lines = [
        f"{name}: every {period:g} s" if period else f"{name}: not scheduled" for name, period in periods
    ]
    return Outcome(True, "\n".join(lines))


async def run_job(settings: CoreSettings, name: str) -> Outcome:
    """Run a job now."""
    if name not in jobs.JOB_NAMES:
        return Outcome(False, f"There is no job {name}. Jobs: {', '.join(jobs.JOB_NAMES)}")
    async with offline_core(settings) as core:
        ran = await jobs.run_job(core, name)
        await core.callbacks.idle()
    return Outcome(ran, f"{name} has run." if ran else "Another replica is running the job.")


async def verify_audit(
    settings: CoreSettings, say: Callable[[str], object], *, checkpoint: Path | None = None
) -> Outcome:
    """Check every row of the signature audit and every chain.

    :param say: is given a line for each finding, as it is found
    :param checkpoint: file of an earlier `write_audit_checkpoint`, to compare with
    """
    keys = ChainKeys.of(settings.chain_secrets)
    if keys is None:
        return Outcome(False, _NOT_CHAINED)
    try:
        known = None
        if checkpoint is not None:
            known = checkpoints.load(keys, await asyncio.to_thread(checkpoint.read_text, encoding="utf-8"))
    except (OSError, UnicodeDecodeError, CheckpointUnusable) as error:
        return Outcome(False, f"{checkpoint}: {error}")
    async with offline_database(settings) as database:
        verification = chain.Verification(database, keys, known)
        async for finding in verification.findings():
            say(str(finding))
    return Outcome(verification.summary.findings == 0, str(verification.summary))


async def write_audit_checkpoint(settings: CoreSettings, file: Path) -> Outcome:
    """Write where the chains of the signature audit end now, sealed, into a file."""
    keys = ChainKeys.of(settings.chain_secrets)
    if keys is None:
        return Outcome(False, _NOT_CHAINED)
    async with offline_database(settings) as database:
        text, chains = await chain.checkpoint(database, keys.current)
    try:
        await asyncio.to_thread(file.write_text, text, encoding="utf-8")
    except OSError as error:
        return Outcome(False, str(error))
    return Outcome(True, f"{chains} chains written to {file}.")


async def rebuild_audit_registry(settings: CoreSettings) -> Outcome:
    """Make the damaged registry of the chains anew, so that rows are chained again."""
    keys = ChainKeys.of(settings.chain_secrets)
    if keys is None:
        return Outcome(False, _NOT_CHAINED)
    async with offline_database(settings) as database:
        damaged = await chain.rebuild_registry(database, keys)
    return Outcome(True, "The registry was made anew." if damaged else "The registry is not damaged.")


async def accept_unchained_audit(settings: CoreSettings) -> Outcome:
    """Record that the rows of the signature audit which are in no chain now are known."""
    keys = ChainKeys.of(settings.chain_secrets)
    if keys is None:
        return Outcome(False, _NOT_CHAINED)
    async with offline_database(settings) as database:
        rows = await chain.accept_unchained(database, keys.current)
    return Outcome(True, f"{rows} rows without a chain are accepted from now on.")
