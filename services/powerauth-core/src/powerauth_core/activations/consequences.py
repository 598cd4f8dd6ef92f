"""What becomes of an activation by what its device did to something else (spec/core-api.md §19.10)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations.administration import block_locked
from powerauth_core.activations.flags import add_to_locked
from powerauth_core.activations.history import ActivationChanges
from powerauth_core.activations.models import Activation
from powerauth_core.activations.rules import Consequence


async def apply(
    changes: ActivationChanges, session: AsyncSession, activation_id: str, consequence: Consequence
) -> None:
    """Change an activation that this transaction has locked, and tell everybody."""
    activation = await session.get_one(Activation, activation_id, populate_existing=True)
    if consequence.blocked_for is not None:
        await block_locked(changes, session, activation, reason=consequence.blocked_for)
    if consequence.flag is not None:
        await add_to_locked(changes.applications, session, activation, consequence.flag)
