"""One step of an action inside the transaction of a batch (D9)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.verification.jobs import EarlyEnd
from servicekit.batching import Settled
from servicekit.database import translate_error
from servicekit.database_errors import judge
from servicekit.errors import ServiceError


async def in_savepoint(session: AsyncSession, work: Callable[[], Awaitable[Any]]) -> Settled[Any]:
    """Run one step of an action so that its failure undoes only itself (D9)."""
    savepoint = await session.begin_nested()
    try:
        result = await work()
        await session.flush()
    except ServiceError as error:
        if error.keep_changes:
            await savepoint.commit()
        else:
            await savepoint.rollback()
        return Settled(error=error)
    except EarlyEnd as error:
        await savepoint.commit()
        return Settled(error=error)
    except Exception as error:
        verdict = judge(error)
        if verdict is not None and verdict.repeats and not verdict.refuses:
            # The whole batch has to find another connection, or another moment.
            raise
        # A lost connection fails again here, and with it the batch.
        await savepoint.rollback()
        return Settled(error=translate_error(error) or error)
    await savepoint.commit()
    return Settled(result)
