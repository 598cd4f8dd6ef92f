"""Taking BLOBs of the metadata service, and telling of them (spec/device-trust.md §4.11)."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from powerauth_contracts.enums import AuditLevel
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.fido_metadata import repository
from powerauth_core.fido_metadata.memory import Age, FidoMetadata
from powerauth_core.fido_metadata.models import MdsBlob
from powerauth_core.fido_metadata.ports import Ports
from powerauth_core.kernel.errors import MdsInvalid, MdsRollback
from powerauth_core.passkeys.refusals import MetadataRefused
from servicekit import clock
from servicekit.logs import get_logger

if TYPE_CHECKING:
    from powerauth_core.fido_metadata.judging import Difference
    from powerauth_core.passkeys.metadata.blob import Verified

MOST_BYTES = 32 * 1024 * 1024
"""Of a BLOB, at every way in."""
_ROLLBACK = "MDS_ROLLBACK"
_NAME_LENGTH = 255

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """A BLOB that somebody brings.

    :ivar source: `MdsBlob.source`; ``loaded_by`` likewise
    """

    content: bytes
    source: str
    loaded_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of an offer.

    :ivar revoked: AAGUIDs of models that every policy refuses by default from now on
    :ivar warnings: what was left out of it, and why
    """

    no: int
    next_update: date
    entries: int
    added: int = 0
    changed: int = 0
    revoked: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The BLOB in force, what its age means, and what was offered lately.

    :ivar problems: names of data files that can not be read
    """

    source: str
    age: Age
    no: int | None
    next_update: date | None
    entries: int
    warnings: tuple[str, ...]
    problems: tuple[str, ...]
    history: Sequence[MdsBlob]


async def judged(ports: Ports, content: bytes) -> tuple[Verified | None, Difference | None]:
    """Judge a BLOB against the one in force; nothing is stored.

    :return: None twice: it is the one in force
    :raises MetadataRefused: it is not taken
    """
    from powerauth_core.fido_metadata import judging  # noqa: PLC0415 - certificates: costs a start

    await ports.fido_metadata.look()
    before, known = ports.fido_metadata.metadata, ports.fido_metadata.known
    local = ports.fido_metadata.files.statements

    def work() -> tuple[Verified | None, Difference | None]:
        found = judging.judge(ports.settings, content, clock.now(), known, local)
        return found, None if found is None else judging.difference(before, found.metadata)

    return await asyncio.to_thread(work)


async def load(ports: Ports, offer: Offer) -> Taken:
    """Put a BLOB in force, at once in this process, within a minute in others.

    :raises MdsInvalid: it is not the publisher's, or can not be read; kept as refused
    :raises MdsRollback: it is older than the one in force
    """
    try:
        found, difference = await judged(ports, offer.content)
    except MetadataRefused as refused:
        await _keep_refusal(ports, offer, refused)
        raise error_of(refused) from None
    if found is None or difference is None:
        return in_force(ports.fido_metadata)
    row = _row(offer, repository.ACTIVE, found.known.no, found.metadata.next_update)
    taken = taken_of(found, difference)
    async with ports.database.transaction() as session:
        replaced = await repository.lock_active(session, ports.database.dialect)
        same = ports.fido_metadata.row_id == (None if replaced is None else replaced.id)
        stored = same and await repository.put_in_force(session, row)
        if stored:
            await repository.drop_old(session)
            params = _params(offer, taken)
            await audit.record(session, AuditType.FIDO2, "mds.loaded", params, None)
    if not stored:  # Somebody else was faster: judged once more, against theirs.
        return await load(ports, offer)
    ports.fido_metadata.take(row, found)
    return taken


def in_force(metadata: FidoMetadata) -> Taken:
    """What an offer of the BLOB in force comes to.

    :raises MdsInvalid: NONE: there is none
    """
    found = metadata.metadata
    if found is None:
        raise MdsInvalid("NONE")
    return Taken(no=found.no, next_update=found.next_update, entries=found.models, warnings=found.warnings)


def taken_of(found: Verified, difference: Difference) -> Taken:
    """What an offer comes to."""
    return Taken(
        no=found.known.no,
        next_update=found.metadata.next_update,
        entries=found.metadata.models,
        added=difference.added,
        changed=difference.changed,
        revoked=difference.revoked,
        warnings=found.metadata.warnings,
    )


def error_of(refused: MetadataRefused) -> MdsInvalid | MdsRollback:
    """How a door says that a BLOB is not taken."""
    return MdsRollback() if refused.reason == _ROLLBACK else MdsInvalid(refused.reason)


async def status(ports: Ports) -> Status:
    """The BLOB in force in this process, and what was offered lately."""
    metadata = ports.fido_metadata
    async with ports.database.read() as session:
        history = await repository.newest(session)
    found = metadata.metadata
    return Status(
        source=ports.settings.mds_source,
        age=metadata.age(),
        no=metadata.number,
        next_update=None if found is None else found.next_update,
        entries=0 if found is None else found.models,
        warnings=() if found is None else found.warnings,
        problems=tuple(sorted(metadata.files.problems)),
        history=history,
    )


async def entries(ports: Ports, name: str | None) -> list[dict[str, Any]]:
    """Entries of the BLOB in force as its publisher wrote them.

    :param name: AAGUID, AAID or key identifier, None: all of them, each without its statement
    """
    async with ports.database.read() as session:
        row = await repository.active(session)
        stored = None if row is None else await repository.with_blob(session, row.id)
    if stored is None or ports.fido_metadata.metadata is None:
        return []
    from powerauth_core.fido_metadata import listing  # noqa: PLC0415 - as above

    return await asyncio.to_thread(listing.entries, stored.blob, name)


async def _keep_refusal(ports: Ports, offer: Offer, refused: MetadataRefused) -> None:
    """Once for each content: a watched file is refused every hour."""
    row = _row(offer, repository.REJECTED)
    row.blob, row.error = b"", str(refused)[:_NAME_LENGTH]
    async with ports.database.transaction() as session:
        if await repository.was_refused(session, row.sha256):
            return
        session.add(row)
        await session.flush()
        await repository.drop_old(session)
        params = _origin(offer) | {"reason": refused.reason, "sha256": row.sha256}
        await audit.record(session, AuditType.FIDO2, "mds.rejected", params, None, AuditLevel.WARN)
    _log.warning("metadata refused", source=offer.source, reason=str(refused))


def _row(offer: Offer, status: str, no: int | None = None, next_update: date | None = None) -> MdsBlob:
    return MdsBlob(
        id=str(uuid.uuid4()),
        no=no,
        next_update=next_update,
        sha256=hashlib.sha256(offer.content).hexdigest(),
        blob=offer.content,
        source=offer.source,
        loaded_at=clock.now(),
        loaded_by=offer.loaded_by[:_NAME_LENGTH],
        status=status,
        error=None,
        warned=None,
    )


def _params(offer: Offer, taken: Taken) -> dict[str, Any]:
    return {
        "no": taken.no,
        "nextUpdate": taken.next_update.isoformat(),
        "entries": taken.entries,
        "added": taken.added,
        "changed": taken.changed,
        "revoked": list(taken.revoked),
    } | _origin(offer)


def _origin(offer: Offer) -> dict[str, Any]:
    return {"source": offer.source, "by": offer.loaded_by}
