"""Queries for callbacks and their deliveries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.applications.models import Application
from powerauth_core.callbacks.models import CallbackUrl, CallbackUrlEvent
from powerauth_core.kernel.enums import CallbackUrlEventStatus
from servicekit.database import Dialect, for_update
from servicekit.row_macs import judged

_CLEANUP_BATCH = 1_000
_FINISHED = (CallbackUrlEventStatus.COMPLETED.value, CallbackUrlEventStatus.FAILED.value)


@dataclass(frozen=True, slots=True)
class OwnedCallback:
    """A callback and the public id of its application."""

    row: CallbackUrl
    application_id: str


async def find(session: AsyncSession, callback_id: str) -> OwnedCallback | None:
    """The enabled callback with this id.

    :raises RowKeyUnknown: nobody here can tell whether the core has written it
    """
    statement = (
        select(CallbackUrl, Application.name)
        .join(Application, Application.id == CallbackUrl.application_id)
        .where(CallbackUrl.id == callback_id, CallbackUrl.enabled)
    )
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        return None
    judged(found[0])
    return OwnedCallback(*found)


async def find_many(session: AsyncSession, callback_ids: Collection[str]) -> dict[str, OwnedCallback]:
    """Those of the callbacks that are there and enabled, by id."""
    if not callback_ids:
        return {}
    statement = (
        select(CallbackUrl, Application.name)
        .join(Application, Application.id == CallbackUrl.application_id)
        .where(CallbackUrl.id.in_(set(callback_ids)), CallbackUrl.enabled)
    )
    found = (await session.execute(statement)).all()
    return {row.id: OwnedCallback(row, application_id) for row, application_id in found}


async def lock(session: AsyncSession, dialect: Dialect, callback_id: str) -> CallbackUrl | None:
    """The enabled callback with this id, locked until the end of the transaction; raises as `find`."""
    statement = select(CallbackUrl).where(CallbackUrl.id == callback_id, CallbackUrl.enabled)
    return judged((await session.execute(for_update(statement, dialect))).scalar_one_or_none())


async def list_of_application(session: AsyncSession, rid: int) -> Sequence[CallbackUrl]:
    """The enabled callbacks of an application, by name."""
    statement = (
        select(CallbackUrl)
        .where(CallbackUrl.application_id == rid, CallbackUrl.enabled)
        .order_by(CallbackUrl.name, CallbackUrl.id)
    )
    return (await session.execute(statement)).scalars().all()


async def recipients(
    session: AsyncSession, application_ids: Collection[str]
) -> Sequence[tuple[str, CallbackUrl]]:
    """The enabled callbacks of these applications with the applications' public ids, by name."""
    statement = (
        select(Application.name, CallbackUrl)
        .join(CallbackUrl, Application.id == CallbackUrl.application_id)
        .where(Application.name.in_(set(application_ids)), CallbackUrl.enabled)
        .order_by(CallbackUrl.name, CallbackUrl.id)
    )
    return [(name, callback) for name, callback in await session.execute(statement)]


async def claim_due(
    session: AsyncSession, dialect: Dialect, now: datetime, limit: int, busy: Collection[str]
) -> Sequence[CallbackUrlEvent]:
    """PENDING deliveries that are due, newest first, locked; what another replica holds is passed over.

    :param busy: callbacks that have enough under way
    """
    statement = (
        select(CallbackUrlEvent)
        .where(
            CallbackUrlEvent.status == CallbackUrlEventStatus.PENDING.value,
            CallbackUrlEvent.timestamp_next_call < now,
            CallbackUrlEvent.application_callback_id.not_in(busy),
        )
        .order_by(CallbackUrlEvent.timestamp_next_call.desc())
        .limit(limit)
    )
    return (await session.execute(for_update(statement, dialect, skip_locked=True))).scalars().all()


async def oldest_pending(session: AsyncSession) -> datetime | None:
    """When what waits longest came about."""
    pending = CallbackUrlEvent.status == CallbackUrlEventStatus.PENDING.value
    return await session.scalar(select(func.min(CallbackUrlEvent.timestamp_created)).where(pending))


async def claim_stale(
    session: AsyncSession, dialect: Dialect, now: datetime, lost_before: datetime, limit: int
) -> Sequence[CallbackUrlEvent]:
    """PROCESSING deliveries whose outcome never came, locked; what another replica holds is passed over.

    :param lost_before: a delivery that must not be repeated counts as lost when it started before this
    """
    lost = or_(
        CallbackUrlEvent.timestamp_rerun_after < now,
        CallbackUrlEvent.timestamp_rerun_after.is_(None)
        & (CallbackUrlEvent.timestamp_last_call < lost_before),
    )
    statement = (
        select(CallbackUrlEvent)
        .where(CallbackUrlEvent.status == CallbackUrlEventStatus.PROCESSING.value, lost)
        .limit(limit)
    )
    return (await session.execute(for_update(statement, dialect, skip_locked=True))).scalars().all()


async def is_under_way(session: AsyncSession, event_id: int, idempotency_key: str, attempts: int) -> bool:
    """Whether the delivery is still the one that was started with this number of attempts."""
    statement = select(exists().where(*_same(event_id, idempotency_key, attempts)))
    return bool((await session.execute(statement)).scalar_one())


async def settle(
    session: AsyncSession, event_id: int, idempotency_key: str, attempts: int, values: Mapping[str, Any]
) -> bool:
    """Write the outcome of a delivery, unless it was taken over meanwhile; whether it was written.

    :param attempts: the number the delivery was started with
    """
    statement = (
        update(CallbackUrlEvent)
        .where(*_same(event_id, idempotency_key, attempts))
        .values(**values)
        .returning(CallbackUrlEvent.id)
    )
    return (await session.execute(statement)).first() is not None


def _same(event_id: int, idempotency_key: str, attempts: int) -> tuple[ColumnElement[bool], ...]:
    # SQLite gives the id of a row that was rolled back to another one; the key is unique.
    return (
        CallbackUrlEvent.id == event_id,
        CallbackUrlEvent.idempotency_key == idempotency_key,
        CallbackUrlEvent.status == CallbackUrlEventStatus.PROCESSING.value,
        CallbackUrlEvent.attempts == attempts,
    )


async def delete_finished(session: AsyncSession, now: datetime) -> int:
    """Delete one batch of finished deliveries whose retention is over; how many."""
    due = (
        select(CallbackUrlEvent.id)
        .where(CallbackUrlEvent.timestamp_delete_after < now, CallbackUrlEvent.status.in_(_FINISHED))
        .limit(_CLEANUP_BATCH)
    )
    deleted = await session.execute(
        delete(CallbackUrlEvent).where(CallbackUrlEvent.id.in_(due)).returning(CallbackUrlEvent.id)
    )
    return len(deleted.all())
