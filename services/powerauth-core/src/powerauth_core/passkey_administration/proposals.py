"""A policy that somebody proposes for an application, read against the one in force
(spec/device-trust.md §4.7, §4.13).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.applications import repository as applications
from powerauth_core.applications.models import Application
from powerauth_core.kernel.errors import (
    CoreError,
    InvalidApplication,
    InvalidKeyFormat,
    InvalidRequest,
    PasskeyAttestationLocked,
    PasskeyListsExclusive,
    PasskeyPolicyChanged,
    UnsoundRecord,
)
from powerauth_core.passkey_administration.figures import Figures
from powerauth_core.passkey_administration.ports import Ports
from powerauth_core.passkey_policies import service as stored_policies
from powerauth_core.passkey_policies.rules import StoredPolicy, UpstreamKeys
from powerauth_core.passkeys import policy as policies
from powerauth_core.passkeys.policy import Policy
from powerauth_core.passkeys.refusals import PolicyCode, PolicyRefused

_REFUSALS: Mapping[PolicyCode, type[CoreError]] = {
    PolicyCode.LISTS_EXCLUSIVE: PasskeyListsExclusive,
    PolicyCode.LOCKED: PasskeyAttestationLocked,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A policy, and what it would replace.

    :ivar before: None: there is no policy, or none that can be read
    :ivar version: of what it would replace, also if that can not be read
    :ivar upstream: the original's keys beside it
    """

    application_id: str
    before: StoredPolicy | None
    version: int
    policy: Policy
    upstream: UpstreamKeys

    @property
    def old(self) -> Policy | None:
        """The policy that it would replace."""
        return None if self.before is None else self.before.policy

    @property
    def moves(self) -> bool:
        """Whether the RP id changes, for which no passkey of the old one works."""
        return self.old is not None and self.old.rp_id != self.policy.rp_id

    def facts(self, figures: Figures) -> tuple[object, ...]:
        """What a confirmation of the figures is about."""
        return self.application_id, self.version, policies.written(self.policy), figures.taken


async def existing(session: AsyncSession, application_id: str) -> Application:
    """
    :raises InvalidApplication: there is none of this id
    """
    application = await applications.find_by_name(session, application_id)
    if application is None:
        raise InvalidApplication
    return application


async def stored(ports: Ports, session: AsyncSession, application: Application) -> StoredPolicy | None:
    """The policy of an application, None: none was ever set.

    :raises CoreError: it can not be read
    """
    dev_mode = ports.settings.passkey_dev_mode
    return await stored_policies.stored(ports.cipher, session, application, dev_mode=dev_mode)


async def make(ports: Ports, application_id: str, encoded: Mapping[str, Any], *, repairs: bool) -> Proposal:
    """Read a proposed policy.

    :param repairs: what can not be read counts as none, otherwise nothing could ever replace it
    :raises InvalidApplication: unknown application
    :raises InvalidRequest: it is no policy
    :raises PasskeyListsExclusive: it has both lists
    :raises PasskeyAttestationLocked: it needs attestations and asks for none
    """
    policy = _read(ports, encoded)
    async with ports.database.read() as session:
        application = await existing(session, application_id)
        upstream = await stored_policies.upstream(ports.cipher, session, application)
        before, version = await _in_force(ports, session, application, repairs=repairs)
    return Proposal(
        application_id=application_id, before=before, version=version, policy=policy, upstream=upstream
    )


async def put(ports: Ports, session: AsyncSession, proposal: Proposal, policy: StoredPolicy) -> None:
    """Write its policy, unless there is another one by now than the one that it replaces.

    :raises PasskeyPolicyChanged: there is
    """
    application = await applications.lock_by_name(session, proposal.application_id)
    if application is None:
        raise InvalidApplication
    in_force = await _in_force(ports, session, application, repairs=True)
    if in_force != (proposal.before, proposal.version):
        raise PasskeyPolicyChanged
    await stored_policies.store(ports.cipher, ports.application_cache, session, application, policy)


async def _in_force(
    ports: Ports, session: AsyncSession, application: Application, *, repairs: bool
) -> tuple[StoredPolicy | None, int]:
    """The policy and its version, which is counted on from one that can not be read too."""
    try:
        found = await stored(ports, session, application)
    except (InvalidKeyFormat, UnsoundRecord):
        if not repairs:
            raise
        return None, await stored_policies.version(ports.cipher, session, application)
    return found, 0 if found is None else found.version


def _read(ports: Ports, encoded: Mapping[str, Any]) -> Policy:
    try:
        return policies.read(
            encoded,
            root_names=ports.fido_metadata.root_names,
            dev_mode=ports.settings.passkey_dev_mode,
        )
    except PolicyRefused as refused:
        if refused.code in _REFUSALS:
            raise _REFUSALS[refused.code] from None
        raise InvalidRequest(f"requestObject.policy.{refused.detail} - not usable") from None
