"""Queries for registrations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_push.devices.models import DeviceRegistration
from powerauth_push.devices.rules import PROVIDERS
from servicekit.database import Dialect, for_update

_ROW = DeviceRegistration
_MANY = 1_000


async def at_token(
    session: AsyncSession, dialect: Dialect, activation_id: str, digest: str
) -> Sequence[DeviceRegistration]:
    """The registration of an activation at a token, in any application; locked."""
    return await _locked(
        session, dialect, _ROW.activation_id == activation_id, _ROW.push_token_digest == digest
    )


async def of_activation(
    session: AsyncSession, dialect: Dialect, activation_id: str
) -> Sequence[DeviceRegistration]:
    """The registrations of an activation; locked."""
    return await _locked(session, dialect, _ROW.activation_id == activation_id)


async def of_token(
    session: AsyncSession, dialect: Dialect, app_number: int, digest: str
) -> Sequence[DeviceRegistration]:
    """The registrations at a token of an application; locked."""
    return await _locked(session, dialect, _ROW.app_id == app_number, _ROW.push_token_digest == digest)


async def _locked(
    session: AsyncSession, dialect: Dialect, *which: ColumnElement[bool]
) -> Sequence[DeviceRegistration]:
    statement = select(_ROW).where(*which).order_by(_ROW.id).limit(_MANY)
    return (await session.scalars(for_update(statement, dialect))).all()


async def is_registered(session: AsyncSession, activation_id: str) -> bool:
    """Whether an activation has any registration."""
    found = select(_ROW.id).where(_ROW.activation_id == activation_id).limit(1)
    return await session.scalar(found) is not None


async def set_active(session: AsyncSession, activation_id: str, active: bool) -> None:
    """Write whether an activation is active, wherever it is registered."""
    await session.execute(update(_ROW).where(_ROW.activation_id == activation_id).values(is_active=active))


async def forget_token(session: AsyncSession, app_number: int, digest: str) -> int:
    """Delete all registrations at a token of an application; how many."""
    result = await session.execute(
        delete(_ROW).where(_ROW.app_id == app_number, _ROW.push_token_digest == digest)
    )
    return cast(CursorResult[Any], result).rowcount


async def others_of_user(
    session: AsyncSession, user_id: str, activation_id: str
) -> Sequence[DeviceRegistration]:
    """The registrations of a user's other active activations, in all applications; else as `of_user`."""
    statement = select(_ROW).where(
        _ROW.user_id == user_id,
        _ROW.activation_id != activation_id,
        _ROW.is_active,
        _ROW.platform.in_(PROVIDERS),
    )
    return (await session.scalars(statement.order_by(_ROW.id).limit(_MANY))).all()


async def of_user(
    session: AsyncSession, app_number: int, user_id: str, activation_id: str | None = None
) -> Sequence[DeviceRegistration]:
    """The registrations of a user in an application, or only that of one of the user's activations.

    One of a platform that nobody delivers to, which others have written, is passed over.
    """
    statement = (
        select(_ROW)
        .where(_ROW.user_id == user_id, _ROW.app_id == app_number, _ROW.platform.in_(PROVIDERS))
        .order_by(_ROW.id)
    )
    if activation_id is not None:
        statement = statement.where(_ROW.activation_id == activation_id)
    return (await session.scalars(statement.limit(_MANY))).all()
