"""Queries for integrations."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import IntegrationKind
from powerauth_core.integrations.models import Integration
from servicekit.row_macs import judged


async def find_by_token(session: AsyncSession, client_token: str) -> Integration | None:
    """The integration with this client token.

    :raises RowKeyUnknown: nobody here can tell whether the core has written it
    """
    statement = select(Integration).where(Integration.client_token == client_token)
    return judged((await session.execute(statement)).scalar_one_or_none())


async def find_by_name(session: AsyncSession, name: str, kind: IntegrationKind) -> Integration | None:
    """An integration of this kind with this name; raises as `find_by_token`."""
    statement = select(Integration).where(Integration.name == name, Integration.kind == kind.value).limit(1)
    return judged((await session.execute(statement)).scalar_one_or_none())


async def list_of_kind(session: AsyncSession, kind: IntegrationKind) -> Sequence[Integration]:
    """All integrations of a kind, by name."""
    statement = (
        select(Integration).where(Integration.kind == kind.value).order_by(Integration.name, Integration.id)
    )
    return (await session.execute(statement)).scalars().all()


async def remove(session: AsyncSession, integration_id: str) -> Integration | None:
    """Delete an integration of any kind; the deleted one."""
    statement = delete(Integration).where(Integration.id == integration_id).returning(Integration)
    return (await session.execute(statement)).scalar_one_or_none()
