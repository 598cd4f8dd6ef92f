"""What the policy blocks, and when (spec/device-trust.md §4.6, §4.7, §4.8, §4.14)."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import product
from typing import Any

import pytest
from core_test_passkeys import NOW, register, registered, root_of

from powerauth_core.passkeys import classification, evaluation, policy
from powerauth_core.passkeys.attestation import roots
from powerauth_core.passkeys.attestation.trust import Sources, Trust
from powerauth_core.passkeys.classification import Classified, PasskeyType
from powerauth_core.passkeys.evaluation import Accepted, Facts, StoredPasskey, Upstream
from powerauth_core.passkeys.metadata.entries import Entry, Metadata, Report
from powerauth_core.passkeys.policy import Effect, MdsMode, Policy
from powerauth_core.passkeys.refusals import PolicyRefused
from powerauth_protocol.common.json_text import Number
from powerauth_sdk.authenticator import Authenticator, Flags, Format, Maker
from powerauth_sdk.authenticator.device import DEVICE_BOUND, SYNCED, TEST_MODEL
from powerauth_sdk.authenticator.statements import Shape

NAMES = {*policy.DEFAULT_ROOTS, "test"}
OTHER = uuid.UUID("11111111-2222-4333-8444-555555555555")
SAMSUNG = uuid.UUID("53414d53-554e-4700-0000-000000000000")
KNOWN_MAKER, UNKNOWN_MAKER = Maker("Known"), Maker("Unknown")


def read(stored: bool = False, **members: Any) -> Policy:
    base = {"rpId": "bank.example", "rpWebOrigins": ["https://login.bank.example"]}
    return policy.read(base | members, root_names=NAMES, stored=stored)


def listed(*reports: str) -> Metadata:
    entry = Entry(
        TEST_MODEL,
        (),
        "Test Authenticator",
        frozenset({"basic_full"}),
        frozenset(),
        (KNOWN_MAKER.root,),
        tuple(Report(status, date(2024, 1, 1), 1, frozenset()) for status in reports),
    )
    return Metadata(1, date(2026, 12, 1), {TEST_MODEL: entry}, {})


FACTS = Facts(now=NOW, sources=Sources(metadata=listed("FIDO_CERTIFIED_L1")))
KINDS = {
    "none": (Format.NONE, KNOWN_MAKER),
    "self": (Format.PACKED_SELF, KNOWN_MAKER),
    "known": (Format.PACKED, KNOWN_MAKER),
    "unknown": (Format.PACKED, UNKNOWN_MAKER),
}


def model(kind: str, flags: Flags = DEVICE_BOUND, aaguid: uuid.UUID = TEST_MODEL) -> Authenticator:
    fmt, maker = KINDS[kind]
    return Authenticator(fmt=fmt, maker=maker, flags=flags, aaguid=aaguid)


def judge(rules: Policy, authenticator: Authenticator, facts: Facts = FACTS) -> Accepted:
    return evaluation.registration(rules, registered(register(authenticator)), facts)


def code(rules: Policy, authenticator: Authenticator, facts: Facts = FACTS) -> str | None:
    try:
        judge(rules, authenticator, facts)
    except PolicyRefused as refused:
        return refused.code
    return None


def sign_in_code(rules: Policy, passkey: StoredPasskey) -> str | None:
    return evaluation.blocked_by(rules, passkey, classification.shipped())


def stored(authenticator: Authenticator, **members: Any) -> StoredPasskey:
    """As it was stored without any policy."""
    accepted = judge(read(), authenticator)
    verdict = accepted.verdict
    known = {"trust": verdict.trust, "anchor": verdict.anchor, "vouched": verdict.vouched} | members
    eligible = bool(authenticator.flags & Flags.BE)
    return StoredPasskey(aaguid=authenticator.aaguid, registered_at=NOW, backup_eligible=eligible, **known)


LISTS: dict[str, dict[str, Any]] = {
    "no list": {},
    "blocked": {"aaguidBlockList": [str(TEST_MODEL)]},
    "other blocked": {"aaguidBlockList": [str(OTHER)]},
    "allowed": {"aaguidAllowList": [str(TEST_MODEL)], "aaguidAllowListBinding": False},
    "allowed, binding": {"aaguidAllowList": [str(TEST_MODEL)]},
    "other allowed": {"aaguidAllowList": [str(OTHER)]},
}
BY_LIST = {
    "blocked": "PASSKEY_AAGUID_BLOCKED",
    "other allowed": "PASSKEY_AAGUID_NOT_ALLOWED",
}
ENFORCED = {"none": "REQUIRED", "self": "REQUIRED", "unknown": "UNTRUSTED"}


@pytest.mark.parametrize("synced", [False, True], ids=["bound", "synced"])
@pytest.mark.parametrize("kind", KINDS)
def test_fi_14_when_settings_take_effect(kind: str, synced: bool) -> None:
    """Every row of the table of §4.7, at registration and at sign-in."""
    authenticator = model(kind, SYNCED if synced else DEVICE_BOUND)
    passkey = stored(authenticator)
    for name, enforced, allowed in product(LISTS, (False, True), (False, True)):
        rules = read(**LISTS[name], enforceAttestation=enforced, allowSyncedPasskeys=allowed)
        both = None
        if synced and not allowed:
            both = "PASSKEY_SYNCED_NOT_ALLOWED"
        elif name in BY_LIST:
            both = BY_LIST[name]
        elif name == "allowed, binding" and kind != "known":
            both = "PASSKEY_AAGUID_UNVERIFIED"
        first = both
        if both is None and enforced and not synced and kind in ENFORCED:
            first = f"PASSKEY_ATTESTATION_{ENFORCED[kind]}"
        assert code(rules, authenticator) == first, (name, enforced, allowed)
        assert sign_in_code(rules, passkey) == both, (name, enforced, allowed)


def test_fi_15_off_on_off_without_a_status() -> None:
    passkey = stored(model("none", SYNCED))
    strict = read(allowSyncedPasskeys=False)
    codes = [sign_in_code(rules, passkey) for rules in (read(), strict, read())]
    assert codes == [None, "PASSKEY_SYNCED_NOT_ALLOWED", None]


@pytest.mark.parametrize(
    ("members", "refused"),
    [
        ({"aaguidAllowList": [str(OTHER)], "aaguidBlockList": [str(OTHER)]}, "PASSKEY_LISTS_EXCLUSIVE"),
        ({"enforceAttestation": True, "attestationType": "none"}, "PASSKEY_ATTESTATION_LOCKED"),
        ({"mdsMode": "monitor", "attestationType": "none"}, "PASSKEY_ATTESTATION_LOCKED"),
        ({"aaguidAllowList": [str(OTHER)], "attestationType": "indirect"}, "PASSKEY_ATTESTATION_LOCKED"),
        ({"mdsMode": "monitor", "enforceAttestation": True}, "ERROR_REQUEST"),
        ({"mdsMode": "enforce", "enforceAttestation": False}, "ERROR_REQUEST"),
        ({"mdsMode": "sometimes"}, "ERROR_REQUEST"),
        ({"enforceAttestation": "true"}, "ERROR_REQUEST"),
        ({"enforceAttestation": 1, "mdsMode": "enforce"}, "ERROR_REQUEST"),
        ({"enforceAttestation": "yes", "mdsMode": "monitor"}, "ERROR_REQUEST"),
        ({"replaceExistingPasskey": "yes"}, "ERROR_REQUEST"),
        ({"algorithms": [Number("-7.0")]}, "ERROR_REQUEST"),
        ({"algorithms": ["-7"]}, "ERROR_REQUEST"),
        ({"rpName": Number("1.5")}, "ERROR_REQUEST"),
        ({"lockoutTiers": [{"attempts": True, "duration": 1}]}, "ERROR_REQUEST"),
        ({"maxFailures": "3"}, "ERROR_REQUEST"),
        ({"failuresExpireIn": True}, "ERROR_REQUEST"),
        ({"aaguidAllowList": ["x"]}, "ERROR_REQUEST"),
        ({"aaguidAllowList": [str(uuid.UUID(int=one)) for one in range(501)]}, "ERROR_REQUEST"),
        ({"rpId": "https://bank.example"}, "ERROR_REQUEST"),
        ({"rpWebOrigins": ["https://bank.example.evil"]}, "ERROR_REQUEST"),
        ({"rpWebOrigins": ["http://bank.example"]}, "ERROR_REQUEST"),
        ({"rpWebOrigins": ["https://evilbank.example"]}, "ERROR_REQUEST"),
        ({"rpMobileOrigins": ["android:apk-key-hash:short"]}, "ERROR_REQUEST"),
        ({"localRoots": ["unknown"]}, "ERROR_REQUEST"),
        ({"algorithms": [-35]}, "ERROR_REQUEST"),
        ({"attestationFormats": ["android-safetynet"]}, "ERROR_REQUEST"),
        ({"lockoutTiers": [{"attempts": 5, "duration": 1}, {"attempts": 3, "duration": 1}]}, "ERROR_REQUEST"),
        ({"failuresExpireIn": 0}, "ERROR_REQUEST"),
        ({"uvSignatureType": "POSSESSION"}, "ERROR_REQUEST"),
    ],
)
def test_fi_13_an_object_that_is_no_policy(members: dict[str, Any], refused: str) -> None:
    with pytest.raises(PolicyRefused) as found:
        read(**members)
    assert found.value.code == refused


def test_members_of_older_names_and_what_follows_from_others() -> None:
    old = policy.read(
        {"rpId": "bank.example", "rpOrigin": "https://bank.example:8443", "maxFailures": 3, "rpName": None},
        root_names=NAMES,
    )
    assert old.origins == {"https://bank.example:8443"}
    assert [(tier.attempts, tier.duration) for tier in old.lockout_tiers] == [(3, 15)]
    enforced = read(mdsMode="enforce")
    assert enforced.enforce_attestation
    assert enforced.attestation_type == "direct"
    assert read(enforceAttestation=True).mds_mode is MdsMode.ENFORCE
    assert not read(aaguidAllowList=[]).binding


def test_fi_23_what_was_asked_for_and_what_came() -> None:
    """Clients that ignore the options are judged by what they send."""
    forged = Authenticator(fmt=Format.PACKED, shape=Shape(leaf_aaguid=OTHER.bytes))
    assert code(read(), forged) == "PASSKEY_ATTESTATION_INVALID"
    only_packed = read(attestationFormats=["packed"])
    u2f = Authenticator(fmt=Format.FIDO_U2F, aaguid=uuid.UUID(int=0))
    assert code(only_packed, u2f) == "PASSKEY_FORMAT_NOT_ALLOWED"
    direct = read(enforceAttestation=True)
    assert code(direct, model("none")) == "PASSKEY_ATTESTATION_REQUIRED"
    again = replace(FACTS, upstream=Upstream(duplicate=True))
    assert code(read(), model("known"), again) == "PASSKEY_DUPLICATE"
    listed_bound = model("none", DEVICE_BOUND, SAMSUNG)
    assert code(read(allowSyncedPasskeys=False), listed_bound) == "PASSKEY_SYNCED_NOT_ALLOWED"


def test_fi_24_a_binding_list_wants_proof() -> None:
    rules = read(aaguidAllowList=[str(TEST_MODEL)], localRoots=["test"])
    advisory = read(aaguidAllowList=[str(TEST_MODEL)], aaguidAllowListBinding=False)
    assert policy.effective(rules, None)["aaguidAllowList"] is Effect.BINDING
    assert policy.effective(advisory, [])["aaguidAllowList"] is Effect.ADVISORY
    assert policy.effective(rules, [])["upstreamAaguids"] is Effect.ADVISORY
    for kind in ("none", "self", "unknown"):
        assert code(rules, model(kind)) == "PASSKEY_AAGUID_UNVERIFIED"
        assert code(advisory, model(kind)) is None
    assert code(rules, model("known")) is None
    elsewhere = root_of(UNKNOWN_MAKER, "packed", aaguids=[OTHER])
    for_this = root_of(UNKNOWN_MAKER, "packed", aaguids=[TEST_MODEL])
    for root, expected in ((elsewhere, "PASSKEY_AAGUID_UNVERIFIED"), (for_this, None)):
        facts = replace(FACTS, sources=replace(FACTS.sources, roots=(root,)))
        assert code(rules, model("unknown"), facts) == expected
    facts = replace(FACTS, sources=replace(FACTS.sources, roots=(for_this,)))
    uncounted = read(aaguidAllowList=[str(TEST_MODEL)], localRoots=["test"], localRootsCount=False)
    assert code(uncounted, model("unknown"), facts) == "PASSKEY_AAGUID_UNVERIFIED"
    stale = replace(FACTS, sources=Sources())
    assert code(rules, model("known"), stale) == "PASSKEY_MDS_UNAVAILABLE"
    assert code(rules, model("none"), stale) == "PASSKEY_AAGUID_UNVERIFIED"


def test_fi_24_a_local_root_taken_out_of_the_policy_vouches_no_more() -> None:
    passkey = stored(model("none"), trust=Trust.LOCAL, anchor="test", vouched=True)
    allow = [str(TEST_MODEL)]
    assert sign_in_code(read(aaguidAllowList=allow, localRoots=["test"]), passkey) is None
    assert sign_in_code(read(aaguidAllowList=allow), passkey) == "PASSKEY_AAGUID_UNVERIFIED"


def test_fi_25_a_stored_object_without_the_member_does_not_bind() -> None:
    older = read(stored=True, aaguidAllowList=[str(TEST_MODEL)])
    assert not older.binding
    assert "AAGUID_ALLOW_LIST_NOT_BINDING" in policy.warnings(older, FACTS.sources, NOW)
    put, passkey = read(aaguidAllowList=[str(TEST_MODEL)]), stored(model("none"))
    codes = [sign_in_code(rules, passkey) for rules in (older, put, older)]
    assert codes == [None, "PASSKEY_AAGUID_UNVERIFIED", None]


@pytest.mark.parametrize("kind", KINDS)
def test_fi_26_monitor_stores_what_off_would_and_says_what_enforce_would(kind: str) -> None:
    monitor, enforce = read(mdsMode="monitor"), read(mdsMode="enforce")
    revoked = replace(FACTS, sources=Sources(metadata=listed("REVOKED")))
    for facts in (FACTS, revoked, replace(FACTS, sources=Sources())):
        accepted = judge(monitor, model(kind), facts)
        assert accepted.monitored == code(enforce, model(kind), facts)
    forged = Authenticator(fmt=Format.PACKED, shape=Shape(leaf_aaguid=OTHER.bytes))
    assert code(monitor, forged) == "PASSKEY_ATTESTATION_INVALID"


def test_enforcement_by_status_and_certification() -> None:
    rules = read(mdsMode="enforce", minCertification="FIDO_CERTIFIED_L2")
    assert code(rules, model("known")) == "PASSKEY_ATTESTATION_UNTRUSTED"
    certified = replace(FACTS, sources=Sources(metadata=listed("FIDO_CERTIFIED_L2plus")))
    assert code(rules, model("known"), certified) is None
    revoked = replace(FACTS, sources=Sources(metadata=listed("FIDO_CERTIFIED_L2", "REVOKED")))
    assert code(rules, model("known"), revoked) == "PASSKEY_ATTESTATION_REVOKED"
    invalidated = stored(model("known"), trust=Trust.INVALIDATED)
    assert sign_in_code(rules, invalidated) == "PASSKEY_ATTESTATION_REVOKED"
    assert sign_in_code(read(mdsMode="monitor"), invalidated) is None


def test_fi_28_known_synced_providers() -> None:
    shipped = classification.shipped()
    by_list, by_flag = Classified(PasskeyType.SYNCED, "list"), Classified(PasskeyType.SYNCED, "be")
    assert classification.classify(False, SAMSUNG, NOW, shipped) == by_list
    assert classification.classify(True, SAMSUNG, NOW, shipped) == by_flag
    assert classification.classify(False, TEST_MODEL, NOW, shipped).type is PasskeyType.DEVICE_BOUND
    assert classification.classify(None, TEST_MODEL, NOW, shipped).type is PasskeyType.UNKNOWN
    row = f'[{{"aaguid": "{SAMSUNG}", "name": "Samsung Pass", "until": "2026-01-01"}}]'
    bounded = classification.read(row, shipped)
    before = datetime(2025, 12, 31, tzinfo=UTC)
    assert classification.classify(False, SAMSUNG, before, bounded) == by_list
    assert classification.classify(False, SAMSUNG, NOW, bounded).type is PasskeyType.DEVICE_BOUND
    assert not classification.read(f'[{{"aaguid": "{SAMSUNG}", "remove": true}}]', shipped)
    enforced = read(enforceAttestation=True)
    assert code(enforced, model("none", DEVICE_BOUND, SAMSUNG)) == "PASSKEY_ATTESTATION_REQUIRED"
    assert code(enforced, model("none", SYNCED, SAMSUNG)) is None


def test_warnings_name_what_does_not_hold() -> None:
    nothing = Sources(roots=roots.shipped())
    assert policy.warnings(read(), nothing, NOW) == []
    claimed = read(allowSyncedPasskeys=False, aaguidBlockList=[str(OTHER)])
    assert policy.warnings(claimed, nothing, NOW) == ["AAGUID_BLOCK_LIST_NOT_BINDING", "SYNCED_BY_CLAIM"]
    bound = read(aaguidAllowList=[str(OTHER)])
    assert policy.warnings(bound, nothing, NOW) == ["AAGUID_WITHOUT_ANCHOR", "MDS_NOT_LOADED"]
    assert policy.needs_metadata(bound, nothing)
    assert policy.needs_metadata(read(mdsMode="enforce"), nothing)
    android = read(aaguidAllowList=["b93fd961-f2e6-462f-b122-82002247de78"])
    assert not policy.needs_metadata(android, nothing)
    assert policy.warnings(android, nothing, NOW) == []
    stale = Sources(metadata=replace(listed(), next_update=date(2026, 10, 1)))
    assert policy.warnings(read(), stale, NOW) == ["MDS_STALE"]


def test_the_originals_keys() -> None:
    rules = read(attestationFormats=["packed", "none"])
    for upstream, expected in (
        (Upstream(formats=["packed"]), "PASSKEY_FORMAT_NOT_ALLOWED"),
        (Upstream(aaguids=[]), "PASSKEY_AAGUID_NOT_ALLOWED"),
        (Upstream(aaguids=[str(TEST_MODEL)]), None),
    ):
        assert code(rules, model("none"), replace(FACTS, upstream=upstream)) == expected
    rooted = replace(FACTS, upstream=Upstream(roots_required=True))
    assert code(rules, model("unknown"), rooted) == "PASSKEY_ATTESTATION_UNTRUSTED"
    assert code(rules, model("self"), rooted) is None
