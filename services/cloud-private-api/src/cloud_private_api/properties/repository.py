"""Queries on ``pa_cloud_property``."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud_private_api.properties.models import Property
from servicekit.database import insert_ignore

SERVICE_BASE_URL = "service.base.url"


async def list_all(session: AsyncSession) -> Sequence[Property]:
    """All properties by name."""
    return (await session.scalars(select(Property).order_by(Property.name))).all()


async def value(session: AsyncSession, name: str) -> str | None:
    """The value of a property; None when it is not set."""
    return await session.scalar(select(Property.value).where(Property.name == name))


async def insert_missing(session: AsyncSession, name: str, text: str | None) -> bool:
    """Set a property that has no row yet."""
    table = Property.__table__
    assert isinstance(table, Table)
    return await insert_ignore(session, table, {"name": name, "value": text}) == 1


async def put(session: AsyncSession, name: str, text: str | None) -> str | None:
    """Set a property; the value before."""
    if await insert_missing(session, name, text):
        return None
    row = await session.get_one(Property, name)
    before = row.value
    row.value = text
    return before
