"""Queries for callers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_push.callers.models import Integration
from servicekit.row_macs import judged


async def find_by_token(session: AsyncSession, client_token: str) -> Integration | None:
    """The caller with this client token.

    :raises RowKeyUnknown: nobody here can tell whether this service has written it
    """
    return judged(await session.scalar(select(Integration).where(Integration.client_token == client_token)))


async def find_by_name(session: AsyncSession, name: str) -> Integration | None:
    """The caller of this name; raises as `find_by_token`."""
    return judged(await session.scalar(select(Integration).where(Integration.name == name)))


async def list_all(session: AsyncSession) -> Sequence[Integration]:
    """All callers, by name."""
    return (await session.scalars(select(Integration).order_by(Integration.name))).all()


async def remove(session: AsyncSession, name: str) -> bool:
    """Delete a caller; whether there was one."""
    deleted = await session.execute(
        delete(Integration).where(Integration.name == name).returning(Integration.id)
    )
    return deleted.first() is not None
