"""Queries for binding tickets."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.binding_tickets.models import BindingTicket
from servicekit.database import Database, for_update
from servicekit.row_macs import judged


async def find(session: AsyncSession, hashed: str, *, lock: bool = False) -> BindingTicket | None:
    """A ticket by its hash.

    :param lock: until the end of the transaction
    :raises RowKeyUnknown: nobody here can tell whether the core has written it
    """
    statement = select(BindingTicket).where(BindingTicket.hash == hashed)
    if lock:
        statement = for_update(statement, Database.of(session).dialect)
    return judged(await session.scalar(statement))


async def delete_expired(session: AsyncSession, before: datetime) -> int:
    """Delete tickets that were over before a moment; their number."""
    result = await session.execute(delete(BindingTicket).where(BindingTicket.expires_at < before))
    return cast("CursorResult[Any]", result).rowcount
