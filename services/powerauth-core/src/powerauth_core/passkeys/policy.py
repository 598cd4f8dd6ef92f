"""The policy of an application, object ``webauthn_api`` (spec/device-trust.md §4.7)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from powerauth_core.passkeys.attestation.trust import Sources, Trust
from powerauth_core.passkeys.ceremony import CounterRule
from powerauth_core.passkeys.metadata.entries import CERTIFICATIONS, REJECTED_STATUSES
from powerauth_core.passkeys.refusals import PolicyCode, PolicyRefused
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.json_text import write_json

DEFAULT_ROOTS: Final = ("google-hw-rsa", "google-key-attestation-ca1", "apple-webauthn")
DEFAULT_FORMATS: Final = ("packed", "none", "fido-u2f", "tpm", "apple", "android-key")
UPSTREAM_FORMATS: Final = ("packed", "none")

_ABSENT_IF_EMPTY = ("aaguidAllowList", "aaguidBlockList")
_UNORDERED = (*_ABSENT_IF_EMPTY, "algorithms", "mdsRejectStatuses")
_MOST = 100
_MINUTES = 525_600
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_WEB_ORIGIN = re.compile(rf"https://({_HOST.pattern})(?::[1-9]\d{{0,4}})?")
_LOCAL_ORIGIN = re.compile(r"http://(localhost)(?::[1-9]\d{0,4})?")
FINGERPRINT = re.compile(r"[0-9a-f]{64}")
"""How an anchor without a name is called: SHA-256 of its certificate."""
_APK_ORIGIN = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{43}")


class MdsMode(StrEnum):
    """What metadata decides: nothing, nothing but audit, registrations."""

    OFF = "off"
    MONITOR = "monitor"
    ENFORCE = "enforce"


class Effect(StrEnum):
    """What a list of AAGUIDs does: against a client that lies, only a binding one."""

    NONE = "none"
    ADVISORY = "advisory"
    BINDING = "binding"


class Preference(StrEnum):
    """What a browser is asked for."""

    REQUIRED = "required"
    PREFERRED = "preferred"
    DISCOURAGED = "discouraged"


class AttestationType(StrEnum):
    """Which statement a browser is asked for."""

    NONE = "none"
    INDIRECT = "indirect"
    DIRECT = "direct"


Origins = Annotated[tuple[str, ...], Field(max_length=_MOST)]
Aaguids = Annotated[frozenset[uuid.UUID], Field(max_length=500)]


class LockoutTier(BaseModel):
    """After so many failures, so many minutes."""

    model_config = ConfigDict(frozen=True)

    attempts: int = Field(ge=1)
    duration: int = Field(ge=1, le=_MINUTES)


class Policy(BaseModel):
    """The policy with every default filled in. Member names are those of the object, in camel case.

    :ivar aaguid_allow_list: empty: no list; `aaguid_block_list` likewise
    :ivar failures_expire_in: minutes
    :ivar algorithms: COSE identifiers
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    rp_id: str = Field(max_length=253)
    rp_web_origins: Origins = ()
    rp_mobile_origins: Origins = ()
    rp_name: str | None = Field(default=None, max_length=255)
    top_origins: Origins = ()
    replace_existing_passkey: bool = False
    allow_synced_passkeys: bool = True
    mds_mode: MdsMode = MdsMode.OFF
    attestation_type: AttestationType = AttestationType.NONE
    aaguid_allow_list: Aaguids = frozenset()
    aaguid_block_list: Aaguids = frozenset()
    aaguid_allow_list_binding: bool = True
    lockout_tiers: tuple[LockoutTier, ...] = (LockoutTier(attempts=5, duration=15),)
    failures_expire_in: int = Field(default=15, ge=1, le=_MINUTES)
    user_verification: Preference = Preference.REQUIRED
    resident_key: Preference = Preference.PREFERRED
    local_roots: tuple[str, ...] = DEFAULT_ROOTS
    local_roots_count: bool = True
    algorithms: frozenset[int] = Field(default=frozenset({-7}), min_length=1)
    uv_signature_type: str | None = Field(default=None, pattern="^POSSESSION_(KNOWLEDGE|BIOMETRY)$")
    counter_mismatch: CounterRule = CounterRule.REJECT
    mds_reject_statuses: frozenset[str] = REJECTED_STATUSES
    attestation_formats: tuple[str, ...] = DEFAULT_FORMATS
    min_certification: str | None = None
    android_revocation: str = Field(default="off", pattern="^(off|file)$")

    @property
    def enforce_attestation(self) -> bool:
        """`mds_mode` by its older name."""
        return self.mds_mode is MdsMode.ENFORCE

    @property
    def binding(self) -> bool:
        """Whether the allow-list holds against a client that lies about its model."""
        return bool(self.aaguid_allow_list) and self.aaguid_allow_list_binding

    @property
    def origins(self) -> frozenset[str]:
        """Every origin that may be signed in from."""
        return frozenset(self.rp_web_origins) | frozenset(self.rp_mobile_origins)

    def vouched(self, trust: Trust, anchor: str | None, vouched: bool) -> bool:
        """Whether a passkey's AAGUID is proven, by what is stored of its attestation.

        :param anchor: name of a local root, which has to be in force still, or SHA-256 of an anchor
        :param vouched: `Verdict.vouched`
        """
        if trust is Trust.VERIFIED:
            return vouched
        unnamed = anchor is not None and FINGERPRINT.fullmatch(anchor) is not None
        in_force = unnamed or anchor in self.local_roots
        return trust is Trust.LOCAL and self.local_roots_count and in_force and vouched

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        """What one member means for another."""
        _require(_HOST.fullmatch(self.rp_id) is not None, "rpId")
        _require(all(map(_APK_ORIGIN.fullmatch, self.rp_mobile_origins)), "rpMobileOrigins")
        _require(all(map(_WEB_ORIGIN.fullmatch, self.top_origins)), "topOrigins")
        _require(self.algorithms <= {-7, -8, -257}, "algorithms")
        _require(set(self.attestation_formats) <= set(DEFAULT_FORMATS), "attestationFormats")
        _require(self.min_certification in (None, *CERTIFICATIONS), "minCertification")
        attempts = [tier.attempts for tier in self.lockout_tiers]
        _require(attempts == sorted(set(attempts)), "lockoutTiers")
        return self


def read(
    encoded: object, *, root_names: Collection[str], stored: bool = False, dev_mode: bool = False
) -> Policy:
    """Read the object, with members of older names. Values have the types of JSON: no text is a number or a
    boolean, and no number is another kind of number.

    :param root_names: names that ``localRoots`` may have
    :param stored: it comes from the configuration, where an allow-list binds only if it says so, and a root
        may have left its file since
    :param dev_mode: ``http://localhost`` may be an origin
    :raises PolicyRefused: VALUE with the member, LISTS_EXCLUSIVE, LOCKED
    """
    if not isinstance(encoded, Mapping):
        raise PolicyRefused(PolicyCode.VALUE, "webauthn_api")
    members = {name: value for name, value in encoded.items() if value is not None}
    _read_old_names(members)
    if stored:
        members.setdefault("aaguidAllowListBinding", False)
    _settle_mode(members)
    try:
        policy = Policy.model_validate_json(write_json(members), strict=True)
    except EncodingError:
        raise PolicyRefused(PolicyCode.VALUE, "webauthn_api") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        member = ".".join(map(str, first["loc"])) or str(first["ctx"]["error"])
        raise PolicyRefused(PolicyCode.VALUE, member) from None
    _check_origins(policy, dev_mode)
    if not stored and not set(policy.local_roots) <= set(root_names):
        raise PolicyRefused(PolicyCode.VALUE, "localRoots")
    if policy.aaguid_allow_list and policy.aaguid_block_list:
        raise PolicyRefused(PolicyCode.LISTS_EXCLUSIVE)
    return _locked(policy, "attestationType" in members)


def written(policy: Policy) -> dict[str, Any]:
    """The object as it is stored and shown: every member with what holds; lists of models that name some."""
    members = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    members["enforceAttestation"] = policy.enforce_attestation
    members |= {name: sorted(members[name]) for name in _UNORDERED}
    return {name: value for name, value in members.items() if value or name not in _ABSENT_IF_EMPTY}


def effective(policy: Policy | None, upstream_aaguids: Collection[str] | None) -> dict[str, Effect]:
    """Which lists hold against a client that lies; without a policy there is the original's at most."""
    upstream = Effect.NONE if upstream_aaguids is None else Effect.ADVISORY
    if policy is None:
        none = dict.fromkeys(("aaguidAllowList", "aaguidBlockList"), Effect.NONE)
        return none | {"upstreamAaguids": upstream}
    block_binds = policy.mds_mode is MdsMode.ENFORCE and not policy.allow_synced_passkeys
    return {
        "aaguidAllowList": _effect(policy.aaguid_allow_list, policy.aaguid_allow_list_binding),
        "aaguidBlockList": _effect(policy.aaguid_block_list, block_binds),
        "upstreamAaguids": upstream,
    }


def warnings(policy: Policy, sources: Sources, now: datetime) -> list[str]:
    """What an administrator should know of a policy that is taken."""
    metadata = sources.metadata
    without = [one for one in policy.aaguid_allow_list if not vouchable(policy, sources, one)]
    needed = policy.mds_mode is not MdsMode.OFF or (policy.binding and bool(without))
    held = effective(policy, None)
    found = {
        "AAGUID_ALLOW_LIST_NOT_BINDING": held["aaguidAllowList"] is Effect.ADVISORY,
        "AAGUID_BLOCK_LIST_NOT_BINDING": held["aaguidBlockList"] is Effect.ADVISORY,
        "SYNCED_BY_CLAIM": not policy.allow_synced_passkeys and not policy.binding,
        "AAGUID_WITHOUT_ANCHOR": policy.binding and bool(without),
        "MDS_NOT_LOADED": needed and metadata is None,
        "MDS_STALE": metadata is not None and metadata.stale(now),
    }
    return [name for name, holds in found.items() if holds]


def needs_metadata(policy: Policy, sources: Sources) -> bool:
    """Whether a policy can not be taken as long as no BLOB was ever loaded (409 ``MDS_NOT_LOADED``)."""
    unvouched = any(not _by_root(policy, sources, one) for one in policy.aaguid_allow_list)
    return policy.mds_mode is MdsMode.ENFORCE or (policy.binding and unvouched)


def vouchable(policy: Policy, sources: Sources, aaguid: uuid.UUID) -> bool:
    """Whether anybody can vouch for a model: the metadata, or a local root that counts."""
    if sources.metadata is not None and aaguid in sources.metadata.by_aaguid:
        return True
    return _by_root(policy, sources, aaguid)


def _by_root(policy: Policy, sources: Sources, aaguid: uuid.UUID) -> bool:
    anchors = [root.anchor for root in sources.roots] if policy.local_roots_count else []
    return any(one.aaguids is None or aaguid in one.aaguids for one in anchors)


def _effect(listed: Collection[uuid.UUID], binds: bool) -> Effect:
    if not listed:
        return Effect.NONE
    return Effect.BINDING if binds else Effect.ADVISORY


def _read_old_names(members: dict[str, Any]) -> None:
    if "rpWebOrigins" not in members:
        one = members.get("rpOrigin")
        old = members.get("rpOrigins", [one] if one else None)
        members.update({"rpWebOrigins": old} if old is not None else {})
    if "lockoutTiers" not in members and {"maxFailures", "lockoutDuration"} & set(members):
        tier = {"attempts": members.get("maxFailures", 5), "duration": members.get("lockoutDuration", 15)}
        members["lockoutTiers"] = [tier]


def _settle_mode(members: dict[str, Any]) -> None:
    """``enforceAttestation`` and ``mdsMode`` say the same thing; either may be left out, never contradict."""
    enforced = members.pop("enforceAttestation", None)
    if not isinstance(enforced, bool | None):
        raise PolicyRefused(PolicyCode.VALUE, "enforceAttestation")
    if enforced is None:
        return
    mode = members.setdefault("mdsMode", MdsMode.ENFORCE if enforced else MdsMode.OFF)
    if enforced != (mode == MdsMode.ENFORCE):
        raise PolicyRefused(PolicyCode.VALUE, "mdsMode")


def _check_origins(policy: Policy, dev_mode: bool) -> None:
    for origin in policy.rp_web_origins:
        found = _WEB_ORIGIN.fullmatch(origin) or (_LOCAL_ORIGIN.fullmatch(origin) if dev_mode else None)
        host = found.group(1) if found else ""
        if host != policy.rp_id and not host.endswith("." + policy.rp_id):
            raise PolicyRefused(PolicyCode.VALUE, "rpWebOrigins")


def _locked(policy: Policy, given: bool) -> Policy:
    """Where statements decide, the browser is asked for them."""
    if policy.mds_mode is MdsMode.OFF and not policy.binding:
        return policy
    if given and policy.attestation_type is not AttestationType.DIRECT:
        raise PolicyRefused(PolicyCode.LOCKED)
    return policy.model_copy(update={"attestation_type": AttestationType.DIRECT})


def _require(holds: bool, member: str) -> None:
    if not holds:
        raise ValueError(member)
