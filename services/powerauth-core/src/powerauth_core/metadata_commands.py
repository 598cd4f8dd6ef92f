"""What an operator does about FIDO metadata beside a running core; the same for ``powerauth mds`` and
``python -m powerauth_core mds``.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from powerauth_core import jobs
from powerauth_core.fido_metadata import downloading, service
from powerauth_core.fido_metadata.downloading import DownloadFailed
from powerauth_core.fido_metadata.models import MdsBlob
from powerauth_core.fido_metadata.service import Offer, Taken
from powerauth_core.fido_metadata.watching import FILE
from powerauth_core.kernel.errors import MdsInvalid, MdsRollback
from powerauth_core.passkey_revalidation import repository
from powerauth_core.passkey_revalidation.models import PasskeyRevalidation
from powerauth_core.runtime import offline_core
from powerauth_core.settings import CoreSettings
from servicekit.commands import Outcome

_OFF = Outcome(False, "CORE_MDS_SOURCE is OFF: no metadata is used. Say where it comes from first.")


async def load(settings: CoreSettings, file: Path) -> Outcome:
    """Put a BLOB in force; processes that serve know of it within a minute."""
    if settings.mds_source == "OFF":
        return _OFF
    try:
        content = await asyncio.to_thread(file.read_bytes)
    except OSError as error:
        return Outcome(False, f"{file}: {error}")
    async with offline_core(settings) as core:
        try:
            return _told(await service.load(core, Offer(content.strip(), FILE, f"file {file.name}")))
        except (MdsInvalid, MdsRollback) as refused:
            return _refused(refused)


async def download(settings: CoreSettings) -> Outcome:
    """Get the BLOB from its publisher and put it in force."""
    if settings.mds_source != downloading.HTTP:
        return Outcome(False, f"CORE_MDS_SOURCE is {settings.mds_source}, not HTTP: nothing is downloaded.")
    async with offline_core(settings) as core:
        try:
            return _told(await downloading.download(core, core.egress))
        except (MdsInvalid, MdsRollback) as refused:
            return _refused(refused)
        except DownloadFailed as failed:
            return Outcome(False, str(failed))


async def status(settings: CoreSettings) -> Outcome:
    """The BLOB in force, what was offered lately, and the newest run of the daily look."""
    async with offline_core(settings) as core:
        await core.fido_metadata.look()
        found = await service.status(core)
        async with core.database.read() as session:
            run = await repository.newest(session)
    lines = [f"source {found.source}, {found.age.value.lower()}"]
    if found.no is not None:
        lines.append(f"no. {found.no}, next update {found.next_update}, {found.entries} models")
    lines += [f"warning: {one}" for one in found.warnings]
    lines += [f"can not be read: {one}" for one in found.problems]
    lines += [_offer(row) for row in found.history]
    lines += [] if run is None else [_run(run)]
    return Outcome(not found.problems and core.fido_metadata.current, "\n".join(lines))


async def entries(settings: CoreSettings, name: str | None) -> Outcome:
    """Entries of the BLOB in force as JSON, a line each.

    :param name: AAGUID, AAID or key identifier
    """
    async with offline_core(settings) as core:
        await core.fido_metadata.look()
        found = await service.entries(core, name)
    if not found:
        return Outcome(False, "There is no metadata in force." if name is None else f"{name} is not in it.")
    return Outcome(True, "\n".join(json.dumps(one, ensure_ascii=False, default=str) for one in found))


async def revalidate(settings: CoreSettings, *, force: bool) -> Outcome:
    """Look at all stored attestations now.

    :param force: change however many it is
    """
    async with offline_core(settings) as core:
        ran = await jobs.revalidate_passkeys(core, force=force)
        await core.callbacks.idle()
        async with core.database.read() as session:
            run = await repository.newest(session)
    if not ran or run is None:
        return Outcome(False, "Another replica is looking at them.")
    return Outcome(run.status == "DONE", _run(run))


def _told(taken: Taken) -> Outcome:
    lines = [
        f"no. {taken.no} is in force until {taken.next_update}: {taken.entries} models, {taken.added} new, "
        f"{taken.changed} changed, {len(taken.revoked)} revoked"
    ]
    lines += [f"revoked: {one}" for one in taken.revoked]
    lines += [f"warning: {one}" for one in taken.warnings]
    return Outcome(True, "\n".join(lines))


def _refused(refused: MdsInvalid | MdsRollback) -> Outcome:
    reason = refused.extra.get("reason", "")
    return Outcome(False, f"{refused.code} {reason}".rstrip() + f": {refused.message}")


def _offer(row: MdsBlob) -> str:
    number = "-" if row.no is None else str(row.no)
    return f"{row.loaded_at:%Y-%m-%d %H:%M} {row.status} no. {number} {row.source} {row.error or ''}".rstrip()


def _run(row: PasskeyRevalidation) -> str:
    return (
        f"{row.started_at:%Y-%m-%d %H:%M} passkeys looked at: {row.status}, {row.checked} checked, "
        f"{row.invalidated} lost their trust, {row.restored} have it back"
        + (f", {row.found_invalid} would have lost it" if row.status == "ABORTED" else "")
    )
