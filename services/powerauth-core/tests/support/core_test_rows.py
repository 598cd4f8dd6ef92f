"""Changing rows behind the calls of the core, with their MACs (D32)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from powerauth_core.kernel.row_macs import table_of
from powerauth_core.master_key.repository import BOUND_TABLES


async def rewrite(core: Core, *conditions: ColumnElement[bool], **values: Any) -> None:
    """Write columns of activations as the core itself would; of all without a condition."""
    async with core.database.transaction() as session:
        for row in await session.scalars(select(Activation).where(*conditions)):
            for name, value in values.items():
                setattr(row, name, value)


async def unsound(core: Core, session: AsyncSession | None = None) -> set[str]:
    """Tables with rows that do not verify."""
    if session is None:
        async with core.database.read() as session:
            return await unsound(core, session)
    session.sync_session.info.clear()
    return {
        table_of(row)
        for table in BOUND_TABLES
        for row in await session.scalars(select(table).execution_options(populate_existing=True))
        if not core.row_macs.fits(table_of(row), row.bound_content(), row.row_mac)
    }
