"""Telling everybody that an attempt blocked an activation (spec/core-api.md §22.5)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations.history import ActivationChanges
from powerauth_core.activations.models import Activation
from powerauth_core.verification.steps import Decision


async def announce(changes: ActivationChanges, session: AsyncSession, decisions: Sequence[Decision]) -> None:
    """Write history, event and callbacks of activations that these decisions blocked; their rows are
    stored.
    """
    for decision in sorted(decisions, key=lambda blocked: blocked.after.activation_id):
        activation = await session.get_one(Activation, decision.after.activation_id, populate_existing=True)
        await changes.record(
            session,
            activation,
            previous_status=decision.before.status,
            reason=decision.after.blocked_reason,
        )
