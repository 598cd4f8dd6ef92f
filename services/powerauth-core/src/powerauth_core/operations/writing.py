"""Writing operations in the transaction of a session, together with what others hear of it."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.kernel.changes import Listeners
from powerauth_core.operations import repository
from powerauth_core.operations.stored import StoredOperation
from powerauth_core.operations.transitions import Transition


async def write(listeners: Listeners, session: AsyncSession, transition: Transition) -> StoredOperation:
    """Store the transition of a locked operation and tell everybody.

    :return: the operation as it is now
    """
    await repository.update_changed(session, transition.operation.row)
    await listeners.operation_changed(session, transition.change)
    return transition.operation
