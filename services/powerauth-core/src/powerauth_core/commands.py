"""What an operator does beside a running core; the same for ``python -m powerauth_core`` and ``powerauth``.

Each works on the database of the settings and may run while others serve from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from powerauth_core import backup, jobs, rotation
from powerauth_core.adoption import service
from powerauth_core.audit import archiving
from powerauth_core.audit.archiving import PartitionRefused
from powerauth_core.audit.chain.keys import ChainKeys
from powerauth_core.audit.service import APPLICATION_NAME
from powerauth_core.master_key.service import REGISTRY, Bound, Examined, bind_rows, look
from powerauth_core.master_key.service import accept_rows as bind_accepted_rows
from powerauth_core.reencryption import encrypt_stored_secrets
from powerauth_core.runtime import build_core, given_keys, offline_core, offline_database
from powerauth_core.secret_columns import KEYED_COLUMNS
from powerauth_core.settings import CoreSettings
from powerauth_core.statements import service as statements
from powerauth_core.tamper_check import checkpoints
from powerauth_core.tamper_check import service as chain
from powerauth_core.tamper_check.checkpoints import CheckpointUnusable
from servicekit import commands as outcomes
from servicekit import key_rotation
from servicekit.audit_export import printing
from servicekit.bus import bus_from_url
from servicekit.commands import Outcome
from servicekit.database import Database
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
        bound = await bind_rows(core.database, core.cipher.keys)
    lines = [f"{name}: {one.encrypted} encrypted, {one.unreadable} unreadable" for name, one in done.items()]
    lines += [f"{name}: {table.rows} rows bound" for name, table in bound.items()]
    lines += _changed(bound)
    fine = not any(one.unreadable for one in done.values()) and not _changed(bound)
    return Outcome(fine, "\n".join(lines))


async def accept_rows(settings: CoreSettings) -> Outcome:
    """Bind rows that others have written, as they are."""
    if settings.master_key is None:
        return Outcome(False, "No master encryption key is configured.")
    async with offline_core(settings) as core:
        accepted = await bind_accepted_rows(core.database, core.cipher.keys)
    return Outcome(True, "\n".join(_changed(accepted)) or "Every row is as the core left it.")


def _changed(bound: Mapping[str, Bound]) -> list[str]:
    return [
        line for name, one in bound.items() for line in outcomes.left_out(name, one.changed, one.unjudged)
    ]


async def list_jobs(settings: CoreSettings) -> Outcome:
    """The scheduled jobs with their periods."""
    async with offline_database(settings) as database:
        core = build_core(
            settings, database, bus_from_url(""), Examined(given_keys(settings), RowBinding.OFF)
        )
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
    if not settings.chain_secrets:
        return Outcome(False, _NOT_CHAINED)
    async with _audit(settings) as (database, keys):
        try:
            known = None
            if checkpoint is not None:
                text = await asyncio.to_thread(checkpoint.read_text, encoding="utf-8")
                known = checkpoints.load(keys, text)
        except (OSError, UnicodeDecodeError, CheckpointUnusable) as error:
            return Outcome(False, f"{checkpoint}: {error}")
        verification = chain.Verification(database, keys, known)
        async for finding in verification.findings():
            say(str(finding))
    return Outcome(verification.summary.findings == 0, str(verification.summary))


async def write_audit_checkpoint(settings: CoreSettings, file: Path) -> Outcome:
    """Write where the chains of the signature audit end now, sealed, into a file."""
    if not settings.chain_secrets:
        return Outcome(False, _NOT_CHAINED)
    async with _audit(settings) as (database, keys):
        text, chains = await chain.checkpoint(database, keys.current)
    try:
        await asyncio.to_thread(file.write_text, text, encoding="utf-8")
    except OSError as error:
        return Outcome(False, str(error))
    return Outcome(True, f"{chains} chains written to {file}.")


async def rebuild_audit_registry(settings: CoreSettings) -> Outcome:
    """Make the damaged registry of the chains anew, so that rows are chained again."""
    if not settings.chain_secrets:
        return Outcome(False, _NOT_CHAINED)
    async with _audit(settings) as (database, keys):
        damaged = await chain.rebuild_registry(database, keys)
    return Outcome(True, "The registry was made anew." if damaged else "The registry is not damaged.")


async def accept_unchained_audit(settings: CoreSettings) -> Outcome:
    """Record that the rows of the signature audit which are in no chain now are known."""
    if not settings.chain_secrets:
        return Outcome(False, _NOT_CHAINED)
    async with _audit(settings) as (database, keys):
        rows = await chain.accept_unchained(database, keys.current)
    return Outcome(True, f"{rows} rows without a chain are accepted from now on.")


async def export_audit(settings: CoreSettings, say: Callable[[str], object], **options: Any) -> Outcome:
    """Say the records of the general audit log, a line of JSON each; options as `printing.export`."""
    async with offline_database(settings) as database:
        return await printing.export(database, APPLICATION_NAME, say, **options)


async def list_partitions(settings: CoreSettings) -> Outcome:
    """The months of audits and history, attached and detached, with their sizes."""
    async with offline_database(settings) as database:
        try:
            months = await archiving.months(database)
        except PartitionRefused as error:
            return Outcome(False, str(error))
    lines = [
        f"{month.name}: {'attached' if month.attached else 'detached'}, {month.size / 1_000_000:.1f} MB"
        for month in months
    ]
    return Outcome(True, "\n".join(lines))


async def detach_partition(settings: CoreSettings, partition: str) -> Outcome:
    """Take a month that is over out of its table."""
    async with offline_database(settings) as database:
        kept = (await look(database, given_keys(settings))).chain_keys
        keys = ChainKeys.of(settings.chain_secrets, kept)
        try:
            await archiving.detach(database, keys, partition)
        except PartitionRefused as error:
            return Outcome(False, str(error))
    return Outcome(True, f"{partition} is a table of its own now: store it elsewhere, then drop it.")


async def attach_partition(settings: CoreSettings, partition: str) -> Outcome:
    """Put a detached month back into its table."""
    async with offline_database(settings) as database:
        try:
            await archiving.attach(database, settings, partition)
        except PartitionRefused as error:
            return Outcome(False, str(error))
    return Outcome(True, f"{partition} is attached. `powerauth audit verify` proves its rows.")


async def rotate_keys(settings: CoreSettings, *, batch: int, gives_up: int = 0) -> Outcome:
    """Make what is of other master keys anew with the current one.

    :param gives_up: how many secrets that their key does not open are emptied at most
    """
    if settings.master_key is None:
        return Outcome(False, "No master encryption key is configured.")
    async with offline_core(settings) as core:
        await REGISTRY.prefer(core.database, settings.master_key)
        done = await rotation.rotate(core.database, core.cipher, core.row_macs, batch, gives_up=gives_up)
        return outcomes.rotated(done, await REGISTRY.told_left(core.database, settings.master_key))


async def key_status(settings: CoreSettings) -> Outcome:
    """Which master keys the database holds values of; nothing is stored."""
    async with offline_database(settings) as database:
        examined = await look(database, given_keys(settings))
        counts = await key_rotation.count(database, KEYED_COLUMNS)
        return outcomes.keys_in_use(counts, examined.keys, examined.records)


async def rotate_statement_key(settings: CoreSettings) -> Outcome:
    """Make a new key pair for statements about devices."""
    async with offline_core(settings) as core:
        made = await statements.add_key(core.database, core.cipher)
    return Outcome(True, f"Statements are signed with {made} in a minute; earlier ones are taken meanwhile.")


async def check_backup(settings: CoreSettings, *, whole: bool) -> Outcome:
    """Whether the database opens with these keys; nothing is stored."""
    schema = await service.check(settings.migrate_url, settings.master_key)
    if not schema.ok:
        return schema
    async with offline_database(settings) as database:
        report = await backup.check(database, settings, given_keys(settings), whole=whole)
    outcome = report.outcome()
    return Outcome(outcome.ok, f"{schema.text}\n{outcome.text}")


@asynccontextmanager
async def _audit(settings: CoreSettings) -> AsyncGenerator[tuple[Database, ChainKeys]]:
    """The database and the keys of its chains, for who may have no other key."""
    async with offline_database(settings) as database:
        examined = await look(database, given_keys(settings))
        yield database, ChainKeys(settings.chain_secrets, examined.chain_keys)
