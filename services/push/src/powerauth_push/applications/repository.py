"""Queries for applications."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_push.applications.models import AppCredentials
from servicekit.database import Dialect, for_update
from servicekit.row_macs import judged


async def find(session: AsyncSession, app_id: str) -> AppCredentials | None:
    """The application of this id.

    :raises RowKeyUnknown: nobody here can tell whether this service has written it
    """
    return judged(await session.scalar(select(AppCredentials).where(AppCredentials.app_id == app_id)))


async def get(session: AsyncSession, rid: int) -> AppCredentials | None:
    """The application of this row; raises as `find`."""
    return judged(await session.get(AppCredentials, rid))


async def lock(session: AsyncSession, dialect: Dialect, app_id: str) -> AppCredentials | None:
    """The application of this id, locked until the end of the transaction; raises as `find`."""
    statement = select(AppCredentials).where(AppCredentials.app_id == app_id)
    return judged(await session.scalar(for_update(statement, dialect)))


async def list_all(session: AsyncSession) -> Sequence[AppCredentials]:
    """All applications, by id."""
    return (await session.scalars(select(AppCredentials).order_by(AppCredentials.app_id))).all()


async def numbers(session: AsyncSession, app_ids: Collection[str]) -> dict[str, int]:
    """The rows of those applications that are known here."""
    statement = select(AppCredentials.app_id, AppCredentials.id).where(AppCredentials.app_id.in_(app_ids))
    return {row.app_id: row.id for row in (await session.execute(statement)).all()}
