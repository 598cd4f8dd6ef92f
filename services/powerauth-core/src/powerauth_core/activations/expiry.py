"""Activations that were not finished in time (spec/core-api.md §22.4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations import repository
from powerauth_core.activations.history import ActivationChanges
from powerauth_core.activations.models import Activation
from powerauth_core.activations.ports import Ports
from powerauth_core.activations.rules import REMOVED, is_overdue
from powerauth_core.activations.stored import AnyActivation
from powerauth_core.kernel.changes import Cause
from servicekit import clock

BATCH = 100
"""Activations that the job expires in one transaction."""


def overdue(activation: AnyActivation) -> bool:
    """Whether the activation has to be removed because its time is up."""
    return is_overdue(activation.activation_status, activation.timestamp_activation_expire, clock.now())


async def expire_if_overdue(
    changes: ActivationChanges, session: AsyncSession, activation: Activation
) -> bool:
    """Remove a locked activation whose time is up.

    :return: whether it was removed now
    """
    return await _expire(changes, session, [activation]) > 0


async def expire_ids(changes: ActivationChanges, session: AsyncSession, activation_ids: Iterable[str]) -> int:
    """Lock the activations in the order of their ids and remove those whose time is up.

    :return: number of removed activations
    """
    locked = await repository.lock_many(session, activation_ids)
    return await _expire(changes, session, locked.values())


async def _expire(changes: ActivationChanges, session: AsyncSession, locked: Iterable[Activation]) -> int:
    late = [(each, each.activation_status) for each in locked if not each.unjudged and overdue(each)]
    for activation, _ in late:
        activation.activation_status = REMOVED
    await changes.record_all(session, late, cause=Cause.GIVEN_UP)
    return len(late)


async def expire_overdue(ports: Ports) -> int:
    """Remove activations whose time ran out lately; the job of spec/core-api.md §30.

    :return: number of removed activations
    """
    look_back = timedelta(milliseconds=ports.settings.job_activations_cleanup_look_back_ms)
    total = left = 0
    while True:
        now = clock.now()
        async with ports.database.read() as session:
            candidates = await repository.overdue_ids(session, now - look_back, now, BATCH, offset=left)
        if not candidates:
            return total
        async with ports.database.transaction() as session:
            expired = await expire_ids(ports.changes, session, candidates)
        total += expired
        # What is not ours to expire, or not any more, must not keep those that come after it.
        left += len(candidates) - expired
