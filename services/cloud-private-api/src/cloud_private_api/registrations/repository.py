"""Queries on ``pa_cloud_v1_registration``."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud_private_api.registrations.models import SingleDeviceRegistration
from servicekit import clock


def add(session: AsyncSession, *, activation_id: str, user_id: str, app_id: str) -> None:
    """Remember that ``POST /registration`` made this one."""
    session.add(
        SingleDeviceRegistration(
            activation_id=activation_id, user_id=user_id, app_id=app_id, timestamp_created=clock.now()
        )
    )


async def find(session: AsyncSession, activation_id: str) -> SingleDeviceRegistration | None:
    """The row of a registration that ``POST /registration`` made and that still has to replace others."""
    return await session.get(SingleDeviceRegistration, activation_id)


async def ids_of_user(session: AsyncSession, *, user_id: str, app_id: str) -> Sequence[str]:
    """The registrations of a user that ``POST /registration`` made."""
    rows = await session.scalars(
        select(SingleDeviceRegistration.activation_id).where(
            SingleDeviceRegistration.user_id == user_id, SingleDeviceRegistration.app_id == app_id
        )
    )
    return rows.all()


async def remove(session: AsyncSession, activation_ids: Sequence[str]) -> None:
    """The replacement is done, or will never be."""
    await session.execute(
        delete(SingleDeviceRegistration).where(SingleDeviceRegistration.activation_id.in_(activation_ids))
    )
