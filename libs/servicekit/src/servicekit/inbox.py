"""The inbox: at-least-once delivery made exactly-once effect (design §6)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Column, CursorResult, Index, MetaData, String, Table, column, delete
from sqlalchemy.ext.asyncio import AsyncSession

from servicekit import clock
from servicekit.bus import Event
from servicekit.database import UtcTimestamp, insert_ignore

TABLE_NAME = "inbox_event"
RETENTION = timedelta(days=14)
"""Longer than any event may wait in a queue."""

_inbox = Table(
    TABLE_NAME,
    MetaData(),
    Column("event_id", String(37), primary_key=True, doc="Id of the event."),
    Column("consumer", String(64), primary_key=True, doc="Who has dealt with it."),
    Column("timestamp_handled", UtcTimestamp, nullable=False, doc="When."),
)


def inbox_table(metadata: MetaData) -> Table:
    """``inbox_event`` in a service's metadata: which consumer has dealt with which event."""
    copied = _inbox.to_metadata(metadata)
    Index("inbox_event_timestamp_handled_idx", copied.c.timestamp_handled)
    return copied


async def handle_once(session: AsyncSession, event: Event, consumer: str) -> bool:
    """Whether this transaction is the one that handles the event; ``False`` for a repeated delivery.

    Call it first, do the work in the same transaction: both commit, or neither.
    """
    values = {"event_id": event.id, "consumer": consumer, "timestamp_handled": clock.now()}
    return await insert_ignore(session, _inbox, values) == 1


async def forget_before(session: AsyncSession, moment: datetime) -> int:
    """Delete what was handled before ``moment``; the number of rows."""
    result = await session.execute(delete(_inbox).where(column("timestamp_handled", UtcTimestamp()) < moment))
    assert isinstance(result, CursorResult)
    return result.rowcount
