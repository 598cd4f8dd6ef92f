"""Queries for fingerprints."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import CursorResult, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.fingerprint_records.models import Fingerprint
from powerauth_core.fingerprints.stored import Sketch
from servicekit.database import Database, for_update

MOST_CANDIDATES: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose fingerprint it is; at least one of the three names it.

    :ivar application_id: the number of its row
    """

    application_id: int
    device_id: str | None = None
    cluster_id: str | None = None
    activation_id: str | None = None

    @property
    def named(self) -> dict[str, Any]:
        """The columns that say so."""
        return {name: value for name, value in asdict(self).items() if value is not None}


async def last_of(session: AsyncSession, subject: Subject) -> Fingerprint | None:
    """The one that was recognised last, locked until the end of the transaction."""
    statement = (
        select(Fingerprint)
        .filter_by(**subject.named)
        .order_by(Fingerprint.last_seen.desc(), Fingerprint.fingerprint_id)
        .limit(1)
    )
    return cast(
        "Fingerprint | None", await session.scalar(for_update(statement, Database.of(session).dialect))
    )


async def candidates(session: AsyncSession, application_id: int, shown: Sketch) -> list[Fingerprint]:
    """Those of an application that may be the same device, the ones seen last."""
    same = [Fingerprint.stable_hash == shown.stable_hash]
    if shown.vendor_id is not None:
        same.append(Fingerprint.vendor_id == shown.vendor_id)
    statement = (
        select(Fingerprint)
        .where(Fingerprint.application_id == application_id, or_(*same))
        .order_by(Fingerprint.last_seen.desc(), Fingerprint.fingerprint_id)
        .limit(MOST_CANDIDATES)
    )
    return list(await session.scalars(statement))


async def delete_unseen(session: AsyncSession, since: datetime) -> int:
    """Delete what was not recognised since a moment; the number of rows."""
    result = await session.execute(delete(Fingerprint).where(Fingerprint.last_seen < since))
    return cast("CursorResult[Any]", result).rowcount
