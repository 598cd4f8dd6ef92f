"""Queries of the queue and the log."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, cast

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CursorResult,
    Table,
    any_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_push.devices.models import DeviceRegistration
from powerauth_push.dispatch.models import Delivery, MessageRecord
from powerauth_push.dispatch.rules import MessageStatus
from servicekit.database import Dialect, for_update

_CLEANUP_BATCH = 1_000
_DELIVERY = cast(Table, Delivery.__table__)


class Lane(Enum):
    """What is taken of the queue, and in which order."""

    SINGLE = auto()
    """Messages to single users, the one due longest first."""
    ANNOUNCEMENTS = auto()
    """Those of them that announce an operation, the newest first."""
    CAMPAIGNS = auto()
    """Messages of campaigns, the one due longest first."""


_IN_LANE: Mapping[Lane, ColumnElement[bool]] = {
    Lane.SINGLE: Delivery.campaign_id.is_(None),
    Lane.ANNOUNCEMENTS: Delivery.operation_id.is_not(None),
    Lane.CAMPAIGNS: Delivery.campaign_id.is_not(None),
}
_OLDEST_FIRST = (Delivery.timestamp_due, Delivery.id)
_NEWEST_FIRST = (Delivery.timestamp_due.desc(), Delivery.id.desc())


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row of the queue that this process sends now.

    :ivar registration: None: it is gone, or is another activation's now
    :ivar lost: somebody had it and was not heard of any more
    """

    row: Delivery
    registration: DeviceRegistration | None
    lost: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """When a message is tried again, how often it has been, and when first."""

    due: datetime
    attempts: int
    first: datetime | None


def _among(session: AsyncSession, column: Any, ids: Collection[int]) -> ColumnElement[bool]:
    """Whether a column is one of many; on PostgreSQL one parameter and one statement for any number."""
    if session.get_bind().dialect.name == "postgresql":
        return cast(ColumnElement[bool], column == any_(literal(list(ids), ARRAY(column.type))))
    return cast(ColumnElement[bool], column.in_(ids))


async def add(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """Queue messages."""
    if rows:
        await session.execute(insert(_DELIVERY), [dict(row) for row in rows])


async def add_taken(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Queue messages that somebody is sending already; the numbers of the rows, in their order."""
    statement = insert(Delivery).returning(Delivery.id, sort_by_parameter_order=True)
    return list((await session.execute(statement, [dict(row) for row in rows])).scalars())


async def claim(
    session: AsyncSession,
    dialect: Dialect,
    provider: str,
    owner: str,
    now: datetime,
    until: datetime,
    limit: int,
    lane: Lane,
    *,
    without: Collection[int] = (),
) -> list[Claimed]:
    """Take due messages over; what another process holds is passed over.

    :param until: when others may take them over again
    :param without: applications whose messages wait
    """
    if limit <= 0:
        return []
    which = [_IN_LANE[lane]]
    if without:
        which.append(~_among(session, Delivery.app_id, without))
    statement = (
        select(Delivery)
        .where(Delivery.provider == provider, Delivery.timestamp_due <= now, *which)
        .order_by(*(_NEWEST_FIRST if lane is Lane.ANNOUNCEMENTS else _OLDEST_FIRST))
        .limit(limit)
    )
    rows = (await session.scalars(for_update(statement, dialect, skip_locked=True))).all()
    if not rows:
        return []
    ids = [row.device_registration_id for row in rows]
    registered = await session.scalars(
        select(DeviceRegistration).where(_among(session, DeviceRegistration.id, ids))
    )
    registrations = {(found.id, found.activation_id): found for found in registered}
    await session.execute(
        update(_DELIVERY)
        .where(_among(session, _DELIVERY.c.id, [row.id for row in rows]))
        .values(lease_owner=owner, timestamp_due=until, attempts=_DELIVERY.c.attempts + 1)
    )
    return [
        Claimed(
            row,
            registrations.get((row.device_registration_id, row.activation_id)),
            row.lease_owner is not None,
        )
        for row in rows
    ]


async def next_due(session: AsyncSession, providers: Sequence[str]) -> dict[str, datetime]:
    """When the next message to each of the providers is due, if there is one."""
    first = func.min(Delivery.timestamp_due)
    probes = [select(first).where(Delivery.provider == provider).scalar_subquery() for provider in providers]
    found = (await session.execute(select(*probes))).one()
    return {provider: due for provider, due in zip(providers, found, strict=True) if due is not None}


async def lock(session: AsyncSession, owner: str, ids: Collection[int]) -> set[int]:
    """Lock messages, in the order in which everybody does; those that are this owner's still."""
    if not ids:
        return set()
    statement = select(Delivery.id).where(_among(session, Delivery.id, ids), Delivery.lease_owner == owner)
    return set((await session.scalars(statement.order_by(Delivery.id).with_for_update())).all())


async def remove(session: AsyncSession, ids: Collection[int]) -> None:
    """Take locked messages out of the queue."""
    if ids:
        await session.execute(delete(_DELIVERY).where(_among(session, _DELIVERY.c.id, ids)))


async def postpone(session: AsyncSession, waiting: Mapping[int, Waiting]) -> None:
    """Let locked messages wait until they are due."""
    if not waiting:
        return
    connection = await session.connection()
    await connection.execute(
        update(_DELIVERY)
        .where(_DELIVERY.c.id == bindparam("row"))
        .values(
            lease_owner=None,
            timestamp_due=bindparam("due"),
            attempts=bindparam("tried"),
            timestamp_first=bindparam("first"),
        ),
        [
            {"row": row, "due": one.due, "tried": one.attempts, "first": one.first}
            for row, one in waiting.items()
        ],
    )


async def withdraw(session: AsyncSession, dialect: Dialect, operation_id: str) -> None:
    """Take what announces an operation out of the queue, and note that in the log.

    An attempt that is under way ends and is not repeated.
    """
    which = select(Delivery.id, Delivery.message_id).where(Delivery.operation_id == operation_id)
    found = (await session.execute(for_update(which.order_by(Delivery.id), dialect))).all()
    await remove(session, [row for row, _ in found])
    await set_status(session, MessageStatus.FAILED, [record for _, record in found if record is not None])


async def add_records(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Write into the log; the numbers of the rows, in their order."""
    if not rows:
        return []
    statement = insert(MessageRecord).returning(MessageRecord.id, sort_by_parameter_order=True)
    return list((await session.execute(statement, [dict(row) for row in rows])).scalars())


async def set_status(session: AsyncSession, status: MessageStatus, records: Collection[int]) -> None:
    """Write what became of messages into the log."""
    if records:
        await session.execute(
            update(MessageRecord)
            .where(_among(session, MessageRecord.id, records))
            .values(status=status.value)
            .execution_options(synchronize_session=False)
        )


async def forget_registrations(session: AsyncSession, which: Collection[tuple[int, str]]) -> None:
    """Delete registrations, each only while it is still at the token of this digest."""
    if which:
        key = tuple_(DeviceRegistration.id, DeviceRegistration.push_token_digest)
        found = select(DeviceRegistration.id).where(key.in_(list(which))).order_by(DeviceRegistration.id)
        dialect = session.get_bind().dialect.name
        gone = (await session.scalars(found.with_for_update() if dialect == "postgresql" else found)).all()
        await session.execute(delete(DeviceRegistration).where(_among(session, DeviceRegistration.id, gone)))


async def forget_records_before(session: AsyncSession, moment: datetime) -> int:
    """Delete one batch of old rows of the log; how many."""
    old = select(MessageRecord.id).where(MessageRecord.timestamp_created < moment).limit(_CLEANUP_BATCH)
    result = await session.execute(delete(MessageRecord).where(MessageRecord.id.in_(old)))
    return cast(CursorResult[Any], result).rowcount
