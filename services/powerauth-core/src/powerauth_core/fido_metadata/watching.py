"""What one node looks at for all: the watched BLOB, data files, and the age of what is in force
(spec/device-trust.md §9.3).
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from powerauth_contracts.enums import AuditLevel
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.fido_metadata import repository, service
from powerauth_core.fido_metadata.memory import Age
from powerauth_core.fido_metadata.models import PasskeyDataFile
from powerauth_core.fido_metadata.ports import Ports
from powerauth_core.fido_metadata.service import Offer
from powerauth_core.kernel.errors import MdsInvalid, MdsRollback
from servicekit import clock
from servicekit.logs import get_logger

FILE = "FILE"

_log = get_logger(__name__)


async def watch(ports: Ports) -> None:
    """Look at everything once; the job of spec/device-trust.md §9.3."""
    await ports.fido_metadata.look()
    await _note_data_files(ports)
    if ports.settings.mds_source == FILE and ports.settings.mds_file is not None:
        await _take_file(ports, ports.settings.mds_file)
    await _tell_age(ports)


async def _take_file(ports: Ports, path: Path) -> None:
    """Put the watched BLOB in force; a refused one was kept as such and told of."""
    try:
        content = await asyncio.to_thread(_read, path)
    except OSError as error:
        _log.warning("metadata file not read", error=type(error).__name__)
        return
    known = ports.fido_metadata.known
    if known is not None and hashlib.sha256(content).digest() == known.sha256:
        return
    try:
        await service.load(ports, Offer(content, FILE, path.name))
    except (MdsInvalid, MdsRollback) as error:
        _log.warning("metadata file not taken", error_code=error.code)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(service.MOST_BYTES + 1)


async def _note_data_files(ports: Ports) -> None:
    digests = ports.fido_metadata.files.digests
    async with ports.database.transaction() as session:
        known = await repository.known_files(session)
        for name in sorted({*known, *digests}):
            before, after = known.get(name), digests.get(name)
            if before == after and name in known:
                continue
            row = PasskeyDataFile(name=name, sha256=after, timestamp_changed=clock.now())
            await repository.note_file(session, row)
            params = {"file": name, "oldSha256": before, "newSha256": after}
            await audit.record(session, AuditType.FIDO2, "passkey.datafile.changed", params, None)


async def _tell_age(ports: Ports) -> None:
    """Once for each BLOB that a newer one is due, and once that nothing rests on it any more."""
    age = ports.fido_metadata.age()
    if age not in (Age.STALE, Age.UNUSABLE):
        return
    _log.warning("metadata is old", no=ports.fido_metadata.number, state=age.value)
    async with ports.database.transaction() as session:
        row = await repository.lock_active(session, ports.database.dialect)
        if row is None or row.no != ports.fido_metadata.number or row.warned == age.value:
            return
        row.warned = age.value
        due = None if row.next_update is None else row.next_update.isoformat()
        params = {"no": row.no, "nextUpdate": due, "state": age.value}
        await audit.record(session, AuditType.FIDO2, "mds.stale", params, None, AuditLevel.WARN)
