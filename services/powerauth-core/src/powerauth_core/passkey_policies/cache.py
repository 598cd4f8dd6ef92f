"""Policies as each use of a passkey needs them: read once (spec/device-trust.md §4.13).

Dropped with what is known of applications (`ApplicationCache.clear`) and at the age of
``passkey_policy_cache_seconds``, so that a change holds on every node within that time, whatever becomes of
its event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.applications import repository
from powerauth_core.applications.cache import ApplicationCache
from powerauth_core.applications.config_keys import WEBAUTHN_API
from powerauth_core.applications.secrets import config_values
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.passkey_policies import rules
from powerauth_core.passkey_policies.rules import UpstreamKeys
from servicekit.caching import Cache
from servicekit.database import Database

if TYPE_CHECKING:
    from powerauth_core.passkeys.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationPolicy:
    """What holds for the passkeys of an application.

    :ivar application_rid: row id; never leaves the core
    :ivar policy: None: none was ever set, and the original's rules hold
    :ivar version: of the policy, 0 without one
    """

    application_rid: int
    application_id: str
    policy: Policy | None
    version: int
    upstream: UpstreamKeys


class PasskeyPolicies:
    """Policies by public id of their application. Belongs to one event loop."""

    def __init__(
        self,
        cipher: RecordCipher,
        application_cache: ApplicationCache,
        *,
        capacity: int,
        seconds: float,
        dev_mode: bool,
    ) -> None:
        """
        :param seconds: after this age a policy is read again
        :param dev_mode: ``http://localhost`` may be an origin
        """
        self._cipher = cipher
        self._dev_mode = dev_mode
        self._by_id: Cache[str, ApplicationPolicy] = Cache(capacity, seconds)
        application_cache.clears_too(self._by_id.clear)

    def known(self, application_id: str) -> ApplicationPolicy | None:
        """The policy of an application, if it need not be read."""
        return self._by_id.get(application_id)

    async def of(self, database: Database, application_id: str) -> ApplicationPolicy | None:
        """What holds for an application; None if there is none of this id.

        :raises CoreError: it cannot be read, and then nothing is allowed
        """
        known = self.known(application_id)
        if known is not None:
            return known
        async with database.read() as session:
            return await self.within(session, application_id)

    async def within(self, session: AsyncSession, application_id: str) -> ApplicationPolicy | None:
        """The same for who has a session."""
        return await self._by_id.load(application_id, lambda: self._load(session, application_id))

    async def _load(self, session: AsyncSession, application_id: str) -> ApplicationPolicy | None:
        application = await repository.find_by_name(session, application_id)
        if application is None:
            return None
        rows = await repository.find_configs(session, application.id, (WEBAUTHN_API, *rules.UPSTREAM))
        found = {key: config_values(self._cipher, application_id, row) for key, row in rows.items()}
        return self._decoded(application.id, application_id, found)

    def _decoded(self, rid: int, application_id: str, found: Mapping[str, list[Any]]) -> ApplicationPolicy:
        values = found.get(WEBAUTHN_API)
        stored = None if values is None else rules.read(values, dev_mode=self._dev_mode)
        return ApplicationPolicy(
            application_rid=rid,
            application_id=application_id,
            policy=None if stored is None else stored.policy,
            version=0 if stored is None else stored.version,
            upstream=rules.upstream_keys(found),
        )
