"""The policy of an application whose passkeys browsers use."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.kernel.errors import InvalidApplication
from powerauth_core.kernel.passkey_errors import FeatureDisabled
from powerauth_core.passkey_policies.cache import ApplicationPolicy
from powerauth_core.passkey_sessions.ports import Ports
from powerauth_core.passkeys.policy import Policy


@dataclass(frozen=True, slots=True)
class BrowserPolicy:
    """A policy, which says the RP id and the origins that nobody else names here.

    :ivar application_rid: row id; never leaves the core
    """

    application_rid: int
    policy: Policy


async def policy_within(ports: Ports, session: AsyncSession, application_id: str) -> BrowserPolicy:
    """The policy, for who has a session.

    :raises InvalidApplication: there is no such application
    :raises FeatureDisabled: it has no policy
    """
    return _of(await ports.passkey_policies.within(session, application_id))


async def policy_of(ports: Ports, application_id: str) -> BrowserPolicy:
    """The same for who has none; raises alike."""
    return _of(await ports.passkey_policies.of(ports.database, application_id))


def _of(known: ApplicationPolicy | None) -> BrowserPolicy:
    if known is None:
        raise InvalidApplication()
    if known.policy is None:
        raise FeatureDisabled()
    return BrowserPolicy(known.application_rid, known.policy)
