"""What a policy says to a registration and to a sign-in (spec/device-trust.md §4.8)."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from powerauth_core.passkeys import classification
from powerauth_core.passkeys.attestation import statements, trust
from powerauth_core.passkeys.attestation.statements import Kind
from powerauth_core.passkeys.attestation.trust import Sources, Trust, Verdict
from powerauth_core.passkeys.authenticator_data import Flags
from powerauth_core.passkeys.ceremony import Registered
from powerauth_core.passkeys.classification import Classified, KnownList, PasskeyType
from powerauth_core.passkeys.policy import MdsMode, Policy
from powerauth_core.passkeys.refusals import PolicyCode, PolicyRefused, StatementInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """What the original's configuration keys and the table of activations say.

    :ivar formats: ``fido2_attestation_fmt_allowed``, None: no such key
    :ivar aaguids: ``fido2_aaguids_allowed``, None: no such key, empty: none is allowed
    :ivar roots_required: without ``webauthn_api`` certificates have to end at one of ``fido2_root_ca_certs``
    :ivar duplicate: an activation that is not removed has this credential id
    """

    formats: Collection[str] | None = None
    aaguids: Collection[str] | None = None
    roots_required: bool = False
    duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known when a passkey is looked at.

    :ivar now: the moment of the registration or sign-in
    :ivar sources: its ``metadata`` is None where no BLOB is loaded or it is past its time (`Metadata.usable`)
    """

    now: datetime
    sources: Sources
    known_synced: KnownList = field(default_factory=classification.shipped)
    upstream: Upstream = field(default_factory=Upstream)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A registration that may be stored.

    :ivar monitored: what ``enforce`` would have said, under ``monitor``; for audit, metric and ``attReason``
    """

    verdict: Verdict
    classified: Classified
    monitored: PolicyCode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPasskey:
    """What was stored of a passkey.

    :ivar backup_eligible: None: stored before it was recorded
    :ivar anchor: `Verdict.anchor`; `vouched` likewise
    """

    aaguid: uuid.UUID
    registered_at: datetime
    backup_eligible: bool | None
    trust: Trust = Trust.NONE
    anchor: str | None = None
    vouched: bool = False

    def classified(self, known_synced: KnownList) -> Classified:
        """Its type, by what was stored and a list of today."""
        return classification.classify(self.backup_eligible, self.aaguid, self.registered_at, known_synced)


def registration(policy: Policy, registered: Registered, facts: Facts) -> Accepted:
    """Judge a registration whose ceremony holds.

    :raises PolicyRefused: the code; the challenge is burnt
    """
    eligible = bool(registered.flags & Flags.BE)
    classified = classification.classify(eligible, registered.aaguid, facts.now, facts.known_synced)
    _check_synced(policy, classified)
    verdict = _attested(policy, registered, facts)
    _check_lists(policy, registered.aaguid, verdict, facts)
    _check_upstream(registered, verdict, facts.upstream)
    code = None if eligible else mds_verdict(policy, verdict, facts.sources)
    if code is not None and policy.mds_mode is MdsMode.ENFORCE:
        raise PolicyRefused(code)
    return Accepted(verdict, classified, code if policy.mds_mode is MdsMode.MONITOR else None)


def sign_in(policy: Policy, passkey: StoredPasskey, backup_eligible: bool, facts: Facts) -> Classified:
    """Judge a sign-in whose signature holds, before its counter: what blocks a passkey now.

    :param backup_eligible: flag BE of this sign-in
    :raises PolicyRefused: the code; nothing is stored, and it ends when the policy does
    """
    classified = classification.classify(
        backup_eligible, passkey.aaguid, passkey.registered_at, facts.known_synced
    )
    _check_stored(policy, passkey, classified)
    return classified


def blocked_by(policy: Policy, passkey: StoredPasskey, known_synced: KnownList) -> PolicyCode | None:
    """What a policy would say to the next sign-in of a passkey; for lists and for the impact of a change."""
    try:
        _check_stored(policy, passkey, passkey.classified(known_synced))
    except PolicyRefused as refused:
        return refused.code
    return None


def mds_verdict(policy: Policy, verdict: Verdict, sources: Sources) -> PolicyCode | None:
    """What ``mdsMode: enforce`` says to a passkey that its flag does not call synced, None: nothing."""
    if sources.metadata is None:
        return PolicyCode.MDS_UNAVAILABLE
    if verdict.kind in (Kind.NONE, Kind.SELF):
        return PolicyCode.REQUIRED
    local = verdict.trust is Trust.LOCAL and policy.local_roots_count
    if verdict.trust is not Trust.VERIFIED and not local:
        return PolicyCode.UNTRUSTED
    if verdict.cert_revoked or _rejected(policy, verdict):
        return PolicyCode.REVOKED
    least = policy.min_certification
    if least is not None and (verdict.entry is None or not verdict.entry.certified(least)):
        return PolicyCode.UNTRUSTED
    return None


def still_verified(policy: Policy, verdict: Verdict) -> bool:
    """What the daily look says of a passkey that was VERIFIED, from its chain judged anew."""
    return verdict.trust is Trust.VERIFIED and not verdict.cert_revoked and not _rejected(policy, verdict)


def _rejected(policy: Policy, verdict: Verdict) -> bool:
    entry = verdict.entry
    return entry is not None and entry.rejected_by(policy.mds_reject_statuses, verdict.chain) is not None


def _attested(policy: Policy, registered: Registered, facts: Facts) -> Verdict:
    if registered.fmt not in policy.attestation_formats:
        raise PolicyRefused(PolicyCode.FORMAT)
    try:
        statement = statements.verify(registered)
    except StatementInvalid as invalid:
        raise PolicyRefused(PolicyCode.INVALID, invalid.reason) from None
    return trust.judge(statement, registered.aaguid, registered.key.algorithm, facts.sources, facts.now)


def _check_stored(policy: Policy, passkey: StoredPasskey, classified: Classified) -> None:
    _check_synced(policy, classified)
    _check_claim(policy, passkey.aaguid)
    if policy.binding and not policy.vouched(passkey.trust, passkey.anchor, passkey.vouched):
        raise PolicyRefused(PolicyCode.AAGUID_UNVERIFIED)
    if policy.mds_mode is MdsMode.ENFORCE and passkey.trust is Trust.INVALIDATED:
        raise PolicyRefused(PolicyCode.REVOKED)


def _check_synced(policy: Policy, classified: Classified) -> None:
    if classified.type is PasskeyType.SYNCED and not policy.allow_synced_passkeys:
        raise PolicyRefused(PolicyCode.SYNCED)


def _check_claim(policy: Policy, aaguid: uuid.UUID) -> None:
    if aaguid in policy.aaguid_block_list:
        raise PolicyRefused(PolicyCode.AAGUID_BLOCKED)
    if policy.aaguid_allow_list and aaguid not in policy.aaguid_allow_list:
        raise PolicyRefused(PolicyCode.AAGUID_NOT_ALLOWED)


def _check_lists(policy: Policy, aaguid: uuid.UUID, verdict: Verdict, facts: Facts) -> None:
    _check_claim(policy, aaguid)
    if not policy.binding or policy.vouched(verdict.trust, verdict.anchor, verdict.vouched):
        return
    if facts.sources.metadata is None and verdict.chain and verdict.trust is not Trust.LOCAL:
        raise PolicyRefused(PolicyCode.MDS_UNAVAILABLE)
    raise PolicyRefused(PolicyCode.AAGUID_UNVERIFIED)


def _check_upstream(registered: Registered, verdict: Verdict, upstream: Upstream) -> None:
    if upstream.roots_required and verdict.trust is Trust.UNVERIFIED:
        raise PolicyRefused(PolicyCode.UNTRUSTED)
    if upstream.formats is not None and registered.fmt not in upstream.formats:
        raise PolicyRefused(PolicyCode.FORMAT)
    if upstream.aaguids is not None and str(registered.aaguid) not in upstream.aaguids:
        raise PolicyRefused(PolicyCode.AAGUID_NOT_ALLOWED)
    if upstream.duplicate:
        raise PolicyRefused(PolicyCode.DUPLICATE)
