"""Queries of telemetry."""

from datetime import datetime

from sqlalchemy import distinct, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations.models import Activation
from powerauth_core.applications.models import Application


async def count_users(
    session: AsyncSession, application_id: str, used_from: datetime, used_to: datetime
) -> int:
    """Number of users with an activation of the application last used in the inclusive range."""
    statement = (
        select(func.count(distinct(Activation.user_id)))
        .join(Application, Application.id == Activation.application_id)
        .where(
            Application.name == application_id,
            Activation.timestamp_last_used.between(used_from, used_to),
        )
    )
    return (await session.execute(statement)).scalar_one()
