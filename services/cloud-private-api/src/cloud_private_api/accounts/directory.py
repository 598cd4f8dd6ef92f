"""What is known about a user name: hash, state, roles, applications. Read from the database at most every few
seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic_core import from_json
from sqlalchemy import update

from cloud_private_api.access.rules import Caller
from cloud_private_api.accounts.models import User
from cloud_private_api.accounts.reads import FIND
from servicekit.caching import Cache
from servicekit.database import Database

CACHED_USERS = 10_000


@dataclass(frozen=True, slots=True)
class UserFacts:
    """One row of ``pa_cloud_user`` and what hangs on it. ``password_hash`` is secret."""

    user_id: int
    username: str
    password_hash: str
    enabled: bool
    authorities: frozenset[str]
    applications: tuple[str, ...]

    @property
    def caller(self) -> Caller:
        """The user as a caller."""
        return Caller(self.username, self.authorities, self.applications)

    def __repr__(self) -> str:
        return f"UserFacts(username={self.username!r})"


class UserDirectory:
    """Facts by user name. A change made in this process is seen at once: its maker calls `forget`."""

    def __init__(self, database: Database, cache_seconds: float) -> None:
        self._database = database
        self._cache: Cache[str, UserFacts] = Cache(CACHED_USERS, cache_seconds)
        self._changes = 0

    async def find(self, username: str) -> UserFacts | None:
        """The facts, at most ``cache_seconds`` old; None for an unknown name."""
        known = self._cache.get(username)
        return await self.read(username) if known is None else known

    async def read(self, username: str) -> UserFacts | None:
        """The facts as they are now; None for an unknown name."""
        changes = self._changes
        facts = await self._read(username)
        # What was read before a change must not be remembered after it.
        if facts is not None and changes == self._changes:
            self._cache.put(username, facts)
        return facts

    def forget(self, username: str) -> None:
        """Read the user again at the next call."""
        self._changes += 1
        self._cache.drop(username)

    async def replace_hash(self, facts: UserFacts, password_hash: str) -> UserFacts:
        """Store a better hash of the same password, unless the password was changed meanwhile.

        :return: the facts with the hash that was stored, or as they were
        """
        async with self._database.transaction() as session:
            stored = await session.scalar(
                update(User)
                .where(User.id == facts.user_id, User.userpassword == facts.password_hash)
                .values(userpassword=password_hash)
                .returning(User.id)
            )
        if stored is None:
            self.forget(facts.username)
            return facts
        better = replace(facts, password_hash=password_hash)
        self._cache.put(facts.username, better)
        return better

    async def _read(self, username: str) -> UserFacts | None:
        rows = await self._database.fetch(FIND, username)
        if not rows:
            return None
        user_id, name, password_hash, enabled, authorities, applications = rows[0]
        return UserFacts(
            user_id=user_id,
            username=name,
            password_hash=password_hash,
            enabled=bool(enabled),
            authorities=frozenset(_texts(authorities)),
            applications=tuple(sorted(_texts(applications))),
        )


def _texts(array: str | None) -> list[str]:
    texts: list[str] = from_json(array) if array else []
    return texts
