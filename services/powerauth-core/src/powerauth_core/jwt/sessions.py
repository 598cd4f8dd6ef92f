"""What is left of sign-ins and revocations once they are over (spec/device-trust.md §9.3)."""

from __future__ import annotations

from datetime import timedelta

from powerauth_core.jwt import repository
from powerauth_core.jwt.ports import Ports
from servicekit import clock


async def delete_expired(ports: Ports) -> None:
    """The job: forget sessions and revocations that are over, and moments that concern nothing any more."""
    now = clock.now()
    longest = timedelta(seconds=ports.settings.jwt_refresh_absolute_seconds)
    async with ports.database.transaction() as session:
        clients = await repository.longest_refresh(session)
        await repository.delete_expired(session, now)
        await repository.delete_not_before(session, now - max(longest, timedelta(seconds=clients, days=1)))
