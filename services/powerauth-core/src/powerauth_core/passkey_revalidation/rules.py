"""What becomes of a stored attestation that is looked at again, without I/O (spec/device-trust.md §4.11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from powerauth_core.passkey_records.extras import Extras
from powerauth_core.passkey_records.stored import Passkey
from powerauth_core.passkeys import evaluation
from powerauth_core.passkeys.attestation import statements, trust
from powerauth_core.passkeys.attestation.chains import NO_ANCHOR
from powerauth_core.passkeys.attestation.statements import Kind
from powerauth_core.passkeys.attestation.trust import Sources, Trust, Verdict
from powerauth_core.passkeys.policy import FINGERPRINT, MdsMode, Policy
from powerauth_core.passkeys.refusals import PasskeyRefused

ROOT_GONE: Final = "ROOT_GONE"
"""Reason of a passkey whose local root is not in force any more."""

_ES256: Final = -7
_FIRST_RUN: Final = timedelta(hours=1)


class Step(Enum):
    """What changes."""

    INVALIDATED = auto()
    RESTORED = auto()
    NOTED = auto()
    """Only what ``enforce`` would say, under ``monitor``."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is stored of a passkey from now on.

    :ivar extras: of its activation
    """

    step: Step
    extras: Extras


@dataclass(frozen=True, slots=True)
class Chain:
    """A stored statement: its format, and certificates in DER, leaf first."""

    fmt: str
    x5c: Sequence[bytes]


def looks_at(policy: Policy | None) -> bool:
    """Whether attestations of an application are looked at."""
    return policy is not None and (policy.mds_mode is not MdsMode.OFF or policy.binding)


def concerns(passkey: Passkey, sources: Sources) -> bool:
    """Whether a passkey's attestation is looked at: it was VERIFIED once, or its local root is gone."""
    found = passkey.extras.att_trust
    if found is Trust.LOCAL:
        anchor = passkey.extras.att_anchor or ""
        return FINGERPRINT.fullmatch(anchor) is None and not _in_force(anchor, sources)
    return found in (Trust.VERIFIED, Trust.INVALIDATED)


def judge(policy: Policy, passkey: Passkey, chain: Chain | None, sources: Sources) -> Change | None:
    """Look at one again; its signature was checked at registration, and dates are those of then.

    :param chain: None: nothing is stored of its statement, so nothing vouches for it any more
    :return: None: everything stays
    """
    verdict = _verdict(passkey, chain, sources)
    if policy.mds_mode is MdsMode.MONITOR and not policy.binding:
        return _noted(policy, passkey, verdict, sources)
    before = passkey.extras
    if evaluation.still_verified(policy, verdict) or _is_local_again(before, verdict):
        kept = before.att_trust is Trust.VERIFIED
        return None if kept else Change(Step.RESTORED, before.judged(verdict))
    if before.att_trust is Trust.INVALIDATED:
        return None
    reason = ROOT_GONE if before.att_trust is Trust.LOCAL else _reason(policy, verdict, sources)
    return Change(
        Step.INVALIDATED,
        before.model_copy(update={"att_trust": Trust.INVALIDATED, "att_reason": reason}),
    )


def due(now: datetime, at: str, started: datetime | None) -> bool:
    """Whether today's run is to begin.

    :param now: naive UTC
    :param at: time of the day, UTC, ``HH:MM``
    :param started: when the newest one began; None: there was none, and the first one is not made up for
    """
    hour, minute = map(int, at.split(":"))
    slot = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if slot > now:
        slot -= timedelta(days=1)
    return now - slot < _FIRST_RUN if started is None else started < slot


def _verdict(passkey: Passkey, chain: Chain | None, sources: Sources) -> Verdict:
    nothing = Verdict(kind=passkey.extras.att_type or Kind.NONE, trust=Trust.UNVERIFIED, reason="CHAIN")
    if chain is None:
        return nothing
    try:
        statement = statements.recalled(chain.fmt, list(chain.x5c))
        algorithm = passkey.extras.alg or _ES256
        return trust.judge(statement, passkey.extras.aaguid, algorithm, sources, passkey.registered_at)
    except PasskeyRefused:
        return nothing


def _noted(policy: Policy, passkey: Passkey, verdict: Verdict, sources: Sources) -> Change | None:
    code = None if passkey.extras.be else evaluation.mds_verdict(policy, verdict, sources)
    if passkey.extras.att_trust is not Trust.VERIFIED or code == passkey.extras.att_reason:
        return None
    return Change(Step.NOTED, passkey.extras.model_copy(update={"att_reason": code}))


def _reason(policy: Policy, verdict: Verdict, sources: Sources) -> str:
    if verdict.cert_revoked:
        return "CERTIFICATE_REVOKED"
    entry = verdict.entry
    if entry is None:
        return "ENTRY_GONE"
    status = entry.rejected_by(policy.mds_reject_statuses, verdict.chain)
    return status or verdict.reason or NO_ANCHOR


def _in_force(anchor: str, sources: Sources) -> bool:
    return any(root.anchor.name == anchor for root in sources.roots)


def _is_local_again(before: Extras, verdict: Verdict) -> bool:
    return before.att_reason == ROOT_GONE and verdict.trust is Trust.LOCAL and not verdict.cert_revoked
