"""Queries for BLOBs and data files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlalchemy import Table, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from powerauth_core.fido_metadata.models import MdsBlob, PasskeyDataFile
from servicekit.database import Dialect, for_update, insert_ignore

ACTIVE, SUPERSEDED, REJECTED = "ACTIVE", "SUPERSEDED", "REJECTED"
KEPT = 5
"""BLOBs that were in force and are kept, and as many refusals."""

_BLOBS = cast(Table, MdsBlob.__table__)
_FILES = cast(Table, PasskeyDataFile.__table__)


async def active(session: AsyncSession) -> MdsBlob | None:
    """The row in force, its BLOB not read."""
    return await session.scalar(select(MdsBlob).where(MdsBlob.status == ACTIVE))


async def lock_active(session: AsyncSession, dialect: Dialect) -> MdsBlob | None:
    """The same, for who puts another one in its place."""
    return await session.scalar(for_update(select(MdsBlob).where(MdsBlob.status == ACTIVE), dialect))


async def with_blob(session: AsyncSession, id_: str) -> MdsBlob | None:
    """A row with its BLOB."""
    return await session.scalar(select(MdsBlob).where(MdsBlob.id == id_).options(undefer(MdsBlob.blob)))


async def newest(session: AsyncSession) -> Sequence[MdsBlob]:
    """All rows, newest first; no BLOB is read."""
    return (await session.scalars(select(MdsBlob).order_by(MdsBlob.loaded_at.desc()))).all()


async def was_refused(session: AsyncSession, sha256: str) -> bool:
    """Whether the same content was refused lately."""
    asked = select(MdsBlob.id).where(MdsBlob.status == REJECTED, MdsBlob.sha256 == sha256)
    return await session.scalar(asked) is not None


async def put_in_force(session: AsyncSession, row: MdsBlob) -> bool:
    """Let a new row take the place of the one in force; False: another one did at the same moment."""
    await session.execute(update(MdsBlob).where(MdsBlob.status == ACTIVE).values(status=SUPERSEDED))
    values = {column.name: getattr(row, column.name) for column in _BLOBS.columns}
    return await insert_ignore(session, _BLOBS, values) == 1


async def drop_old(session: AsyncSession) -> None:
    """Delete what is not kept, accepted and refused ones apart: refusals push nothing out."""
    rows = await newest(session)
    for kind in (True, False):
        of_kind = [row.id for row in rows if (row.status == REJECTED) is kind]
        await session.execute(delete(MdsBlob).where(MdsBlob.id.in_(of_kind[KEPT:])))


async def known_files(session: AsyncSession) -> dict[str, str | None]:
    """SHA-256 of the data files by name, as last seen."""
    rows = await session.scalars(select(PasskeyDataFile))
    return {row.name: row.sha256 for row in rows}


async def note_file(session: AsyncSession, row: PasskeyDataFile) -> None:
    """Keep what a data file holds now."""
    values = {"sha256": row.sha256, "timestamp_changed": row.timestamp_changed}
    if not await insert_ignore(session, _FILES, {"name": row.name, **values}):
        await session.execute(
            update(PasskeyDataFile).where(PasskeyDataFile.name == row.name).values(**values)
        )
