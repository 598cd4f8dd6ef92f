"""Reading and changing rows behind the calls of the core; activations with their MACs (D32)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Executable, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from powerauth_core.secret_columns import BOUND_TABLES
from servicekit.row_macs import table_of


async def found(core: Core, statement: Executable) -> list[Any]:
    """The entities, or the values of the one column, that a query finds."""
    async with core.database.read() as session:
        return list((await session.execute(statement)).scalars())


async def statements_of_the_driver(core: Core) -> list[str]:
    """The statements that the driver is given from now on (PostgreSQL), but for those that publish events."""
    await core.relay.stop()
    statements: list[str] = []
    async with core.database.driver() as driver:  # it is kept for the next one
        driver.add_query_logger(lambda record: statements.append(record.query))
    return statements


async def execute(core: Core, statement: Executable, values: Mapping[str, Any] | None = None) -> None:
    """Execute a statement in a transaction of its own."""
    async with core.database.transaction() as session:
        await session.execute(statement, values)


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
