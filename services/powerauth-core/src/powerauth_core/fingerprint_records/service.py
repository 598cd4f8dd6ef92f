"""Recognising devices by their fingerprints, with a key or without (spec/device-trust.md §6.3, §6.4)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.fingerprint_records import repository
from powerauth_core.fingerprint_records.models import Fingerprint
from powerauth_core.fingerprint_records.repository import Subject
from powerauth_core.fingerprints import matching
from powerauth_core.fingerprints.matching import Likeness, Thresholds
from powerauth_core.fingerprints.stored import Seen, Sketch
from servicekit import clock
from servicekit.database import Database


@dataclass(frozen=True, slots=True)
class Recognised:
    """A stored fingerprint beside what was shown.

    :ivar likeness: None: it was stored just now, nothing was known before
    :ivar seen: as it is stored now
    """

    fingerprint_id: str
    likeness: Likeness | None
    seen: Seen


async def observe(
    session: AsyncSession, subject: Subject, shown: Sketch, thresholds: Thresholds
) -> Recognised:
    """Compare what a device shows with what was last seen of it, and remember it, within the caller's work.

    Nothing is stored of a mismatch.

    :raises ValueError: the subject names neither device nor cluster nor activation
    """
    if len(subject.named) < 2:
        raise ValueError("whose fingerprint?")
    row = await repository.last_of(session, subject)
    if row is None:
        return _stored(session, subject, Seen.first(shown, clock.now()))
    known = _seen(row)
    likeness = matching.compare(known.sketch, shown, thresholds)
    seen = matching.after(known, shown, likeness, clock.now())
    _write(row, seen)
    return Recognised(row.fingerprint_id, likeness, seen)


async def alike(
    session: AsyncSession, application_id: int, shown: Sketch, thresholds: Thresholds
) -> Recognised | None:
    """The stored fingerprint of an application that matches best what a device without a key shows."""
    rows = {
        row.fingerprint_id: _seen(row) for row in await repository.candidates(session, application_id, shown)
    }
    found = matching.best(rows.values(), shown, thresholds)
    if found is None:
        return None
    seen, likeness = found
    return Recognised(next(name for name, each in rows.items() if each is seen), likeness, seen)


async def delete_unseen(database: Database, days: int) -> int:
    """Delete what was not recognised for so many days; the job of spec/device-trust.md §9.3."""
    async with database.transaction() as session:
        return await repository.delete_unseen(session, clock.now() - timedelta(days=days))


def _stored(session: AsyncSession, subject: Subject, seen: Seen) -> Recognised:
    row = Fingerprint(fingerprint_id=str(uuid.uuid4()), **subject.named)
    _write(row, seen)
    session.add(row)
    return Recognised(row.fingerprint_id, None, seen)


def _seen(row: Fingerprint) -> Seen:
    return Seen(Sketch.decoded(row.components), row.first_seen, row.last_seen, row.seen_count)


def _write(row: Fingerprint, seen: Seen) -> None:
    row.components = seen.sketch.encoded()
    row.stable_hash, row.vendor_id = seen.sketch.stable_hash, seen.sketch.vendor_id
    row.first_seen, row.last_seen, row.seen_count = seen.first_seen, seen.last_seen, seen.count
