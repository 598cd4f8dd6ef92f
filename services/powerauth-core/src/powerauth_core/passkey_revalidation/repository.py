"""Queries for runs."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.applications.models import Application, ApplicationConfig
from powerauth_core.passkey_revalidation.models import PasskeyRevalidation

KEPT = 30
"""Runs that are kept."""


async def newest(session: AsyncSession) -> PasskeyRevalidation | None:
    """The run that began last."""
    return await session.scalar(
        select(PasskeyRevalidation).order_by(PasskeyRevalidation.started_at.desc()).limit(1)
    )


async def drop_old(session: AsyncSession) -> None:
    """Delete the runs that are not kept."""
    ordered = select(PasskeyRevalidation.id).order_by(PasskeyRevalidation.started_at.desc())
    old = (await session.scalars(ordered.offset(KEPT))).all()
    await session.execute(delete(PasskeyRevalidation).where(PasskeyRevalidation.id.in_(old)))


async def applications_with(session: AsyncSession, key: str) -> list[str]:
    """Names of the applications with a configuration key, in their order."""
    statement = (
        select(Application.name)
        .join(ApplicationConfig, ApplicationConfig.application_id == Application.id)
        .where(ApplicationConfig.config_key == key)
    )
    return sorted(await session.scalars(statement))
