"""Queries for the activations that an activation has opened."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import TransferType
from powerauth_core.activations.models import Activation
from powerauth_core.activations.rules import CREATED


async def opened_since(session: AsyncSession, parent_id: str, since: datetime) -> int:
    """How many activations the parent has opened since then, whatever became of them."""
    statement = select(func.count()).where(
        Activation.parent_activation_id == parent_id, Activation.timestamp_created > since
    )
    return int((await session.execute(statement)).scalar_one())


async def lock_open(
    session: AsyncSession, parent_id: str, transfer_type: TransferType, application_rid: int
) -> list[Activation]:
    """Activations that wait for a device of one destination, locked; one that is exchanging keys is left out,
    and one that cannot be judged here.

    Waiting for it would turn the order of locks around: a key exchange holds the child before the parent.
    """
    statement = (
        select(Activation)
        .where(
            Activation.parent_activation_id == parent_id,
            Activation.transfer_type == transfer_type.value,
            Activation.application_id == application_rid,
            Activation.activation_status == CREATED,
        )
        .order_by(Activation.activation_id)
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return [each for each in (await session.execute(statement)).scalars() if not each.unjudged]
