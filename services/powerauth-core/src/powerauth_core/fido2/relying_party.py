"""What a ceremony is held against: who asks, under which policy (spec/device-trust.md §4.3, §4.8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import Final

from powerauth_core.fido2.ports import Ports
from powerauth_core.kernel.errors import InvalidApplication
from powerauth_core.passkey_policies.cache import ApplicationPolicy
from powerauth_core.passkeys.attestation.trust import Sources
from powerauth_core.passkeys.ceremony import Expected
from powerauth_core.passkeys.evaluation import Facts, Upstream
from powerauth_core.passkeys.policy import UPSTREAM_FORMATS, Policy, Preference
from servicekit import clock

WITHOUT_POLICY: Final = Policy(rp_id="none.invalid", attestation_formats=UPSTREAM_FORMATS, local_roots=())
"""Where an application has none: as the original decides."""

_NOBODY: Final = Sources()


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """For whom a passkey is; nothing of it comes from the client.

    :ivar origins: compared exactly
    :ivar user_verification: flag UV is demanded, whatever the policy says
    """

    rp_id: str
    origins: frozenset[str]
    top_origins: frozenset[str] = frozenset()
    user_verification: bool = False

    @classmethod
    def of(cls, policy: Policy) -> RelyingParty:
        """That of a policy, for the doors at which nobody else names one."""
        return cls(rp_id=policy.rp_id, origins=policy.origins, top_origins=frozenset(policy.top_origins))


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for the passkeys of an application.

    :ivar known: as it is stored
    """

    known: ApplicationPolicy

    @property
    def policy(self) -> Policy:
        """Its policy, or `WITHOUT_POLICY`."""
        return self.known.policy or WITHOUT_POLICY

    def expected(self, party: RelyingParty, challenge: bytes | None) -> Expected:
        """What an answer has to be.

        :param challenge: None: it is looked up by the client data
        """
        required = self.known.policy is not None and (
            self.known.policy.user_verification is Preference.REQUIRED
        )
        return Expected(
            rp_id=party.rp_id,
            origins=party.origins,
            top_origins=party.top_origins,
            challenge=challenge,
            user_verification=party.user_verification or required,
            algorithms=self.policy.algorithms,
        )

    def facts_of_sign_in(self, ports: Ports) -> Facts:
        """What a sign-in is judged by now: its statement was judged before."""
        now, known_synced = clock.now().replace(tzinfo=UTC), ports.fido_metadata.known_synced
        return Facts(now=now, sources=_NOBODY, known_synced=known_synced)

    def facts(self, ports: Ports, *, duplicate: bool) -> Facts:
        """What a registration is judged by now.

        :param duplicate: another passkey has its credential id
        """
        upstream = self.known.upstream
        return Facts(
            now=clock.now().replace(tzinfo=UTC),
            sources=ports.fido_metadata.sources(self.known.policy, upstream.roots),
            known_synced=ports.fido_metadata.known_synced,
            upstream=Upstream(
                formats=upstream.formats,
                aaguids=upstream.aaguids,
                roots_required=self.known.policy is None,
                duplicate=duplicate,
            ),
        )


async def rules_of(ports: Ports, application_id: str) -> Rules:
    """What holds for an application; usually nothing is read.

    :raises InvalidApplication: there is none of this id
    :raises InvalidKeyFormat: what is stored can not be read, and then nothing is allowed
    """
    known = await ports.passkey_policies.of(ports.database, application_id)
    if known is None:
        raise InvalidApplication()
    return Rules(known)
