"""The numbers of applications, which never change."""

from __future__ import annotations

from collections.abc import Sequence

from powerauth_push.applications import repository
from powerauth_push.errors import ApplicationNotFound, InboxApplicationNotFound, PushError
from servicekit.caching import Cache
from servicekit.database import Database

_CAPACITY = 10_000


class ApplicationNumbers:
    """Which row an application has."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: Cache[str, int] = Cache(_CAPACITY)

    async def number(self, app_id: str, refusal: type[PushError] = ApplicationNotFound) -> int:
        """
        :raises PushError: the refusal: no application of this id has been begun with
        """
        return (await self.numbers([app_id], refusal))[0]

    async def numbers(
        self, app_ids: Sequence[str], refusal: type[PushError] = InboxApplicationNotFound
    ) -> list[int]:
        """The rows of several applications, in their order.

        :raises PushError: the refusal: one is unknown
        """
        unknown = {app_id for app_id in app_ids if self._known.get(app_id) is None}
        if unknown:
            async with self._database.read() as session:
                found = await repository.numbers(session, unknown)
            for app_id, rid in found.items():
                self._known.put(app_id, rid)
        numbers = [self._known.get(app_id) for app_id in app_ids]
        if None in numbers:
            raise refusal
        return [number for number in numbers if number is not None]
