"""The daily look at stored attestations (spec/device-trust.md §4.11), on one node at a time.

It counts first, and changes nothing if too many would lose their trust: rather the metadata is broken than
all authenticators. Then it goes over them once more and writes, a batch in a transaction. Where it is stands
in the database with what it did, so that another node goes on after a stop; a new BLOB makes it begin anew.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationStatus, AuditLevel
from powerauth_core.activations import repository as activations
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.jwt import revocation
from powerauth_core.kernel.changes import PasskeyJudged
from powerauth_core.passkey_records import repository as records
from powerauth_core.passkey_records.stored import Passkey, passkey
from powerauth_core.passkey_revalidation import repository, rules
from powerauth_core.passkey_revalidation.batches import Judged, Place, judged, places
from powerauth_core.passkey_revalidation.models import PasskeyRevalidation
from powerauth_core.passkey_revalidation.ports import Ports
from powerauth_core.passkey_revalidation.rules import Chain, Change, Step
from servicekit import clock
from servicekit.logs import get_logger

COUNTING: Final = "COUNTING"
APPLYING: Final = "APPLYING"
DONE: Final = "DONE"
ABORTED: Final = "ABORTED"
SKIPPED: Final = "SKIPPED"
REPLACED: Final = "REPLACED"
_UNFINISHED: Final = (COUNTING, APPLYING)
_NOTHING: Final[Mapping[str, Any]] = {
    "status": COUNTING,
    "application": "",
    "position": "",
    "checked": 0,
    "found_invalid": 0,
    "found_changed": 0,
    "invalidated": 0,
    "restored": 0,
}
"""What a run has done when it begins."""

_log = get_logger(__name__)


class _MetadataChanged(Exception):
    """What a run judges by is not in force any more."""


async def run_when_due(ports: Ports) -> None:
    """Go on with a run that was stopped, or begin today's when its time has come."""
    async with ports.database.read() as session:
        last = await repository.newest(session)
    started = None if last is None else last.started_at
    if last is not None and last.status in _UNFINISHED:
        await run(ports, force=last.forced)
    elif rules.due(clock.now(), ports.settings.passkey_revalidation_at, started):
        await run(ports)


async def run(ports: Ports, *, force: bool = False) -> PasskeyRevalidation:
    """Look at all stored attestations.

    :param force: change however many it is
    :return: how it ended
    """
    await ports.fido_metadata.look()
    row = await _begun(ports, force=force)
    try:
        return await _finish(ports, row, await _run(ports, row))
    except _MetadataChanged:
        await _finish(ports, row, REPLACED)
    return await run(ports, force=force)


async def _run(ports: Ports, row: PasskeyRevalidation) -> str:
    metadata = ports.fido_metadata.usable()
    if metadata is None:
        return SKIPPED
    if row.status == COUNTING:
        async for place in places(ports, metadata, row.application, row.position):
            await _count(ports, row, place, await _judged(ports, place))
        if not row.found_changed:
            return DONE
        share = row.found_invalid / row.checked
        if share > ports.settings.passkey_revalidation_max_invalid_share and not row.forced:
            return ABORTED
        row.status, row.application, row.position = APPLYING, "", ""
        async with ports.database.transaction() as session:
            await _keep(session, row)
    async for place in places(ports, metadata, row.application, row.position):
        await _apply(ports, row, place, await _judged(ports, place))
    return DONE


async def _judged(ports: Ports, place: Place) -> Judged:
    """
    :raises _MetadataChanged: a new BLOB is in force, or nothing may rest on the one that was
    """
    if ports.fido_metadata.usable() is not place.sources.metadata:
        raise _MetadataChanged
    return await judged(ports.database, place)


async def _begun(ports: Ports, *, force: bool) -> PasskeyRevalidation:
    """The run to go on with, or a new one; one that judged by other metadata is not gone on with."""
    usable = ports.fido_metadata.usable()
    number = None if usable is None else usable.no
    async with ports.database.transaction() as session:
        last = await repository.newest(session)
        if last is not None and last.status in _UNFINISHED:
            if (last.no, last.forced) == (number, force):
                session.expunge(last)
                return last
            last.status, last.finished_at = REPLACED, clock.now()
        row = PasskeyRevalidation(id=str(uuid.uuid4()), started_at=clock.now(), forced=force, **_NOTHING)
        row.no = number
        session.add(row)
        await session.flush()
        await repository.drop_old(session)
        session.expunge(row)
    return row


async def _count(ports: Ports, row: PasskeyRevalidation, place: Place, found: Judged) -> None:
    row.application, row.position = place.application, place.position
    row.checked += found.checked
    row.found_invalid += found.count(Step.INVALIDATED)
    row.found_changed += len(found.changes)
    async with ports.database.transaction() as session:
        await _keep(session, row)


async def _apply(ports: Ports, row: PasskeyRevalidation, place: Place, found: Judged) -> None:
    """Write what changes of a batch, what others hear of it, and where the run is."""
    row.application, row.position = place.application, place.position
    async with ports.database.transaction() as session:
        steps = Counter[Step]()
        told = []
        for activation in (await activations.lock_many(session, found.changes)).values():
            before = passkey(activation, place.application)
            change = _still(place, before, found.chains)
            if before is not None and change is not None:
                activation.extras = change.extras.encoded()
                steps[change.step] += 1
                told.append(_told(before, change, row.no))
                if change.step is Step.INVALIDATED:
                    await revocation.end_sessions_of(session, activation.activation_id)
        await session.flush()
        await records.note_judged(session, [one.activation_id for one in told], row.no, clock.now())
        await ports.listeners.passkeys_judged(session, told)
        row.invalidated += steps[Step.INVALIDATED]
        row.restored += steps[Step.RESTORED]
        await _keep(session, row)


def _still(place: Place, found: Passkey | None, chains: Mapping[str, Chain]) -> Change | None:
    """What becomes of a passkey now that it is locked: it may have been used or blocked meanwhile."""
    if found is None or found.status is not ActivationStatus.ACTIVE:
        return None
    if not rules.concerns(found, place.sources):
        return None
    return rules.judge(place.policy, found, chains.get(found.activation_id), place.sources)


def _told(before: Passkey, change: Change, number: int | None) -> PasskeyJudged:
    return PasskeyJudged(
        activation_id=before.activation_id,
        application_id=before.application_id,
        user_id=before.user_id,
        aaguid=str(before.extras.aaguid),
        fmt=before.extras.fmt,
        kind=None if before.extras.att_type is None else before.extras.att_type.value,
        previous_trust=before.extras.att_trust.value,
        trust=change.extras.att_trust.value,
        reason=change.extras.att_reason,
        mds_no=number,
    )


async def _keep(session: AsyncSession, row: PasskeyRevalidation) -> None:
    values = {name: getattr(row, name) for name in ("finished_at", *_NOTHING)}
    await session.execute(
        update(PasskeyRevalidation).where(PasskeyRevalidation.id == row.id).values(**values)
    )


async def _finish(ports: Ports, row: PasskeyRevalidation, status: str) -> PasskeyRevalidation:
    row.status, row.finished_at = status, clock.now()
    figures = {name: getattr(row, name) for name in ("checked", "invalidated", "restored", "no")}
    found = {"foundInvalid": row.found_invalid, "forced": row.forced, "outcome": status}
    level = AuditLevel.WARN if status in (ABORTED, SKIPPED) else AuditLevel.INFO
    async with ports.database.transaction() as session:
        await _keep(session, row)
        if status != SKIPPED or ports.settings.mds_source != "OFF":
            await audit.record(session, AuditType.FIDO2, "fido2.revalidation", figures | found, None, level)
    _log.info("passkeys looked at", outcome=status, **figures)
    return row
