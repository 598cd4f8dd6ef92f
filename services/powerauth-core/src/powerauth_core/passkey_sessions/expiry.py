"""What is left of ceremonies that are over (spec/device-trust.md §9.3)."""

from __future__ import annotations

from powerauth_core.passkey_sessions import repository, rules
from servicekit import clock
from servicekit.database import Database


async def delete_old(database: Database) -> int:
    """Delete sessions a day after their end; their number."""
    async with database.transaction() as session:
        return await repository.delete_old(session, clock.now() - rules.KEPT)
