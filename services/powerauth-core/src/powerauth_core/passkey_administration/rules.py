"""What a change takes from a passkey: of its policy, or of the lists that policies rest on
(spec/device-trust.md §4.6, §4.13).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from powerauth_core.passkey_records.stored import Passkey
from powerauth_core.passkeys import evaluation, keys
from powerauth_core.passkeys.attestation.trust import Trust
from powerauth_core.passkeys.ceremony import UPSTREAM_ALGORITHMS
from powerauth_core.passkeys.classification import Classified, KnownList
from powerauth_core.passkeys.policy import MdsMode, Policy, Preference
from powerauth_core.passkeys.refusals import CeremonyReason, PolicyCode


@dataclass(frozen=True, slots=True)
class Side:
    """What passkeys are judged by, before a change or after it.

    :ivar policy: None: there is none, and nothing is stopped
    """

    policy: Policy | None
    known_synced: KnownList

    def blocked(self, passkey: Passkey) -> PolicyCode | None:
        """What the policy says to the next sign-in."""
        if self.policy is None:
            return None
        return evaluation.blocked_by(self.policy, passkey.stored, self.known_synced)


@dataclass(frozen=True, slots=True)
class Change:
    """From one side to the other."""

    before: Side
    after: Side

    def stops(self, passkey: Passkey) -> str | None:
        """Why a passkey does not work after the change; None: it does, as far as the change matters."""
        return self.after.blocked(passkey) or self._loses(passkey)

    def takes(self, passkey: Passkey) -> str | None:
        """The same, of a passkey that works before."""
        reason = self.stops(passkey)
        return None if reason is None or self.before.blocked(passkey) is not None else reason

    def unattested(self, passkey: Passkey) -> bool:
        """Whether the allow-list has the model of a passkey, and nobody vouches for it."""
        policy, stored = self.after.policy, passkey.stored
        if policy is None or stored.aaguid not in policy.aaguid_allow_list:
            return False
        return not policy.vouched(stored.trust, stored.anchor, stored.vouched)

    def type_of(self, passkey: Passkey) -> Classified:
        """The type of a passkey after the change."""
        return passkey.stored.classified(self.after.known_synced)

    def _loses(self, passkey: Passkey) -> str | None:
        if self.after.policy is None:
            return None
        return next(_losses(self.before.policy, self.after.policy, passkey), None)


def _losses(old: Policy | None, new: Policy, passkey: Passkey) -> Iterator[str]:
    """What a passkey rests on and a change takes away, besides what the policy says to passkeys.

    Without an old policy the callers alone said which RP id and origins they take.
    """
    extras = passkey.extras
    if _moves(old, new) and extras.relying_party_id not in (None, new.rp_id):
        yield CeremonyReason.RP_ID
    if old is not None and extras.used_from in old.origins - new.origins:
        yield CeremonyReason.ORIGIN
    algorithms = UPSTREAM_ALGORITHMS if old is None else old.algorithms
    if (extras.alg or keys.ES256) in algorithms - new.algorithms:
        yield CeremonyReason.ALGORITHM
    if _asks_more(old, new) and extras.uv is False:
        yield CeremonyReason.USER_VERIFICATION
    if _loses_root(old, new, passkey):
        yield PolicyCode.REVOKED


def _moves(old: Policy | None, new: Policy) -> bool:
    return old is None or old.rp_id != new.rp_id


def _asks_more(old: Policy | None, new: Policy) -> bool:
    asked = old is not None and old.user_verification is Preference.REQUIRED
    return new.user_verification is Preference.REQUIRED and not asked


def _loses_root(old: Policy | None, new: Policy, passkey: Passkey) -> bool:
    """The daily look will find no root for it any more, and then the policy refuses it."""
    if old is None or new.mds_mode is not MdsMode.ENFORCE or passkey.extras.att_trust is not Trust.LOCAL:
        return False
    return passkey.extras.att_anchor in set(old.local_roots) - set(new.local_roots)
