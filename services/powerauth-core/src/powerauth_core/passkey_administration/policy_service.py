"""Looking at the policy of an application, asking what a change would do, changing it
(spec/device-trust.md §4.7, §4.13).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.kernel.errors import MdsNotLoaded, PasskeyPolicyChanged, PasskeyPolicyImpact
from powerauth_core.passkey_administration import confirmations, impact, proposals
from powerauth_core.passkey_administration.figures import Figures
from powerauth_core.passkey_administration.ports import Ports
from powerauth_core.passkey_administration.proposals import Proposal
from powerauth_core.passkey_administration.rules import Change, Side
from powerauth_core.passkey_policies import service as stored_policies
from powerauth_core.passkey_policies.rules import StoredPolicy, UpstreamKeys
from powerauth_core.passkeys import policy as policies
from powerauth_core.passkeys.policy import Effect, Policy
from servicekit import clock

_CONFIRM = "Ask for the impact of this policy and give its confirmation, or force the change."
_MOVE = "Another RP id, for which none of these passkeys works: such a change has to be forced."


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What holds of a policy.

    :ivar effective: which lists hold against a client that lies
    """

    effective: Mapping[str, Effect]
    warnings: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """The policy of an application; `stored` is None if none was ever set."""

    stored: StoredPolicy | None
    judged: Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What a proposed policy would do, and the proof of having seen it."""

    figures: Figures
    judged: Judged
    confirmation: str

    def members(self) -> dict[str, Any]:
        """All of it by the names that others see."""
        judged = {"effective": dict(self.judged.effective), "warnings": self.judged.warnings}
        return self.figures.members() | judged | {"confirmation": self.confirmation}


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """On whose word a change is made.

    :ivar confirmation: of an impact
    :ivar force: whatever its impact; who may say so is known to who asks
    :ivar version: that the change is made of; None: of whatever there is
    :ivar changed_by: who makes it
    """

    confirmation: str | None = None
    force: bool = False
    version: int | None = None
    changed_by: str | None = None


async def detail(ports: Ports, application_id: str) -> Detail:
    """The policy of an application.

    :raises InvalidApplication: unknown application
    :raises CoreError: it can not be read
    """
    async with ports.database.read() as session:
        application = await proposals.existing(session, application_id)
        stored = await proposals.stored(ports, session, application)
        upstream = await stored_policies.upstream(ports.cipher, session, application)
    policy = None if stored is None else stored.policy
    return Detail(stored=stored, judged=_judged(ports, policy, upstream))


async def propose(ports: Ports, application_id: str, encoded: Mapping[str, Any]) -> Impact:
    """What a policy would take from users; nothing is changed.

    :raises CoreError: as `update`, but for what only a change needs
    """
    proposal = await proposals.make(ports, application_id, encoded, repairs=True)
    return _impact(ports, proposal, await _figures(ports, proposal))


async def update(ports: Ports, application_id: str, encoded: Mapping[str, Any], consent: Consent) -> Detail:
    """Replace the policy of an application.

    :raises CoreError: as `proposals.make`
    :raises MdsNotLoaded: it needs metadata, and none was ever loaded
    :raises PasskeyPolicyChanged: the policy is not of the version of the consent, or changed meanwhile
    :raises PasskeyPolicyImpact: users lose passkeys, and the consent does not cover it
    """
    proposal = await proposals.make(ports, application_id, encoded, repairs=consent.force)
    if consent.version not in (None, proposal.version):
        raise PasskeyPolicyChanged
    _check_metadata(ports, proposal)
    figures = await _figures(ports, proposal)
    if not consent.force:
        _check_consent(ports, proposal, figures, consent.confirmation)
    stored = StoredPolicy(
        policy=proposal.policy,
        version=proposal.version + 1,
        changed_by=consent.changed_by,
        changed_at=clock.now(),
    )
    async with ports.database.transaction() as session:
        await proposals.put(ports, session, proposal, stored)
        await _record(session, proposal, stored, figures, forced=consent.force)
    return Detail(stored=stored, judged=_judged(ports, stored.policy, proposal.upstream))


def _check_metadata(ports: Ports, proposal: Proposal) -> None:
    sources = ports.fido_metadata.sources(proposal.policy, proposal.upstream.roots)
    if ports.fido_metadata.number is None and policies.needs_metadata(proposal.policy, sources):
        raise MdsNotLoaded


async def _figures(ports: Ports, proposal: Proposal) -> Figures:
    known = ports.fido_metadata.known_synced
    change = Change(Side(proposal.old, known), Side(proposal.policy, known))
    return await impact.figures(ports, proposal.application_id, change)


def _check_consent(ports: Ports, proposal: Proposal, figures: Figures, given: str | None) -> None:
    moves = proposal.moves and figures.credentials_total > 0
    facts = proposal.facts(figures)
    confirmed = given is not None and confirmations.holds(ports.cipher, given, facts, clock.now())
    if moves or (figures.users_affected and not confirmed):
        warning = _MOVE if moves else _CONFIRM
        raise PasskeyPolicyImpact(extra=_impact(ports, proposal, figures).members() | {"warning": warning})


def _impact(ports: Ports, proposal: Proposal, figures: Figures) -> Impact:
    return Impact(
        figures=figures,
        judged=_judged(ports, proposal.policy, proposal.upstream),
        confirmation=confirmations.issue(ports.cipher, proposal.facts(figures), clock.now()),
    )


def _judged(ports: Ports, policy: Policy | None, upstream: UpstreamKeys) -> Judged:
    warnings: list[str] = []
    if policy is not None:
        sources = ports.fido_metadata.sources(policy, upstream.roots)
        warnings = policies.warnings(policy, sources, clock.now().replace(tzinfo=UTC))
    return Judged(effective=policies.effective(policy, upstream.aaguids), warnings=warnings)


async def _record(
    session: AsyncSession, proposal: Proposal, stored: StoredPolicy, figures: Figures, *, forced: bool
) -> None:
    params = {
        "applicationId": proposal.application_id,
        "version": stored.version,
        "old": proposal.old and policies.written(proposal.old),
        "new": policies.written(stored.policy),
        "impact": figures.members(),
        "forced": forced,
        "externalUserId": stored.changed_by,
    }
    await audit.record(session, AuditType.APPLICATION, "policy.changed", params, None)
