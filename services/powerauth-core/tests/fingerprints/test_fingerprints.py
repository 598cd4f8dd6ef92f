"""Fingerprints as values: what is taken, what is kept, what is alike (spec/device-trust.md §6.2 to §6.4)."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powerauth_core.fingerprints import matching, payload
from powerauth_core.fingerprints.matching import Outcome, Thresholds
from powerauth_core.fingerprints.members import MEMBERS, STABLE
from powerauth_core.fingerprints.payload import FingerprintInvalid
from powerauth_core.fingerprints.stored import Pepper, Seen, Sketch
from powerauth_protocol.common.encoding import b64url_encode
from powerauth_protocol.common.json_text import Number, read_json, write_json

SCALE = int(os.environ.get("POWERAUTH_FUZZ_SCALE", "1"))
KEY = bytes(range(32))
PEPPER = Pepper(KEY)
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def hashed(text: str) -> str:
    return b64url_encode(hashlib.sha256(text.encode()).digest())


PHONE: dict[str, Any] = {
    "v": 1,
    "platform": "android",
    "sdkVersion": "1.0",
    "collectedAt": 1_780_000_000_000,
    "model": "Pixel 9",
    "manufacturer": "Google",
    "hardware": "tokay",
    "cpuAbi": "arm64-v8a",
    "totalMemoryMb": 12_000,
    "totalStorageGb": 128,
    "screen": {"w": 1080, "h": 2424, "density": Number("2.625")},
    "vendorId": hashed("vendor"),
    "mediaDrmId": hashed("drm"),
    "osName": "Android",
    "osVersion": "16.1",
    "securityPatch": "2026-05-05",
    "buildFingerprint": "google/tokay/tokay:16/BP2A.250605.031/13578606:user/release-keys",
    "carrier": "Operátor",
    "simCountry": "cz",
    "networkType": "wifi",
    "locale": "cs-CZ",
    "timezone": "Europe/Prague",
    "fonts": hashed("fonts"),
    "keyboards": hashed("keyboards"),
    "accessibility": hashed("accessibility"),
    "appVersion": "3.1",
    "installId": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "installSource": "com.android.vending",
    "flags": {"emulator": False, "dangerousApps": True, "screenShared": None},
}
BROWSER: dict[str, Any] = {
    "v": 1,
    "platform": "web",
    "web": {
        "userAgent": "Mozilla/5.0",
        "languages": ["cs", "en"],
        **{name: hashed(name) for name in ("canvas", "webgl", "audio", "fonts")},
        "colorDepth": 24,
        "hardwareConcurrency": 8,
        "platform": "Linux x86_64",
    },
}


def sketch(members: dict[str, Any], **changes: Any) -> Sketch:
    shown = {name: value for name, value in (members | changes).items() if value is not None}
    return Sketch.of(payload.read(shown), PEPPER)


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in PHONE.items() if name not in names}


KNOWN = sketch(PHONE)


def test_every_member_is_compared_or_says_nothing() -> None:
    silent = {"v", "platform", "sdkVersion", "collectedAt", "flags"}
    assert KNOWN.components.keys() | sketch(BROWSER).components.keys() == MEMBERS.keys()
    assert KNOWN.components.keys() == PHONE.keys() - silent
    assert sum(MEMBERS[name].weight for name in STABLE) == 7 * 3 + 2 * 10


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("v", 2),
        ("v", "1"),
        ("v", None),
        ("v", True),
        ("platform", "windows"),
        ("platform", "iOS"),
        ("platform", None),
        ("platform", ["ios"]),
        ("model", ""),
        ("model", "a" * 129),
        ("model", 9),
        ("model", "a\0"),
        ("model", "a\x1b[2J"),
        ("model", "\ud800"),
        ("sdkVersion", "1" * 65),
        ("collectedAt", -1),
        ("collectedAt", 1 << 53),
        ("collectedAt", "1780000000000"),
        ("totalMemoryMb", 0),
        ("totalMemoryMb", True),
        ("totalMemoryMb", Number("1.5")),
        ("totalStorageGb", 1 << 21),
        ("screen", {"w": 1080, "h": 2424}),
        ("screen", {"w": 0, "h": 2424, "density": 2}),
        ("screen", {"w": 1080, "h": 2424, "density": 0}),
        ("screen", {"w": 1080, "h": 2424, "density": Number("1e400")}),
        ("screen", {"w": 1080, "h": 2424, "density": Number("1e999999999")}),
        ("screen", {"w": 1080, "h": 2424, "density": "2"}),
        ("screen", [1080, 2424]),
        ("vendorId", "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"),
        ("vendorId", hashed("x") + "="),
        ("vendorId", hashed("x")[:-1] + "B"),
        ("mediaDrmId", hashed("x")[:-1]),
        ("fonts", "Arial"),
        ("buildFingerprint", "a" * 513),
        ("web", {"languages": []}),
        ("web", {"languages": ["cs"] * 21}),
        ("web", {"languages": "cs"}),
        ("web", {"colorDepth": 0}),
        ("web", {"canvas": "data:image/png"}),
        ("web", []),
        ("flags", {"rooted": 1}),
        ("flags", {"rooted": "true"}),
        ("flags", ["rooted"]),
    ],
)
def test_what_is_out_of_type_or_bounds_is_refused(member: str, value: Any) -> None:
    with pytest.raises(FingerprintInvalid) as told:
        payload.read(PHONE | {member: value})
    assert told.value.member.split(".")[0] in (member, "object")


@pytest.mark.parametrize(
    "personal",
    [
        {"imei": "1"},
        {"IMEI": None},
        {"advertising_id": "1"},
        {"wifi-mac": "1"},
        {"phoneNumber": ""},
        {"web": {"serialNumber": 1}},
        {"else": [{"deep": [{"idfa": 0}]}]},
        {"carrier": "+420 777 123 456"},
        {"hardware": "00:1A:2b:3C:4d:5E"},
        {"installId": "490154203237518"},
        {"unknown": ["00-1A-2b-3C-4d-5E"]},
    ],
)
def test_what_is_personal_is_refused(personal: dict[str, Any]) -> None:
    with pytest.raises(FingerprintInvalid, match=r"^fingerprint: personal value$"):
        payload.read(PHONE | personal)


@pytest.mark.parametrize(
    "members", [None, [], "text", 1, {}, {"v": 1}, {"unknown": object()}, {"unknown": float("nan")}]
)
def test_what_is_no_fingerprint(members: object) -> None:
    with pytest.raises(FingerprintInvalid):
        payload.read(members)


def test_sixteen_kibibytes_are_the_most() -> None:
    room = payload.MOST_BYTES - len(write_json(PHONE | {"padding": ""}))
    assert payload.read(PHONE | {"padding": "x" * room})
    too_much: list[Any] = ["x" * (room + 1), "x" * 10_000_000, [[]] * 10_000]
    for padding in too_much:
        with pytest.raises(FingerprintInvalid, match="size"):
            payload.read(PHONE | {"padding": padding})
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(FingerprintInvalid, match="object"):
        payload.read(PHONE | {"padding": deep})


def test_null_and_unknown_members_are_as_good_as_absent() -> None:
    bare = {"v": 1, "platform": "ios"}
    nothing = dict.fromkeys(PHONE.keys() - bare.keys())
    assert payload.read(nothing | bare | {"web": None, "unknown": 1}) == payload.read(bare)


def test_a_record_holds_no_value_but_version_platform_and_flags() -> None:
    text = KNOWN.encoded()
    clear = {"platform": "android", "osVersion": "16.1", "flags": ["dangerous_apps"]}
    kept = json.loads(text)
    assert {name: kept.pop(name) for name in clear} == clear
    assert all(len(value) == 43 for value in kept.values())
    assert PHONE["vendorId"] not in text, "what identifies the phone elsewhere is hashed again"
    assert Sketch.decoded(text) == KNOWN
    assert Sketch.decoded(json.dumps(json.loads(text) | {"of an older release": "x"})) == KNOWN


def test_hashes_are_those_of_the_specification() -> None:
    mac = hmac.digest(KEY, b'["carrier","Oper\xc3\xa1tor"]', "sha256")
    assert KNOWN.components["carrier"] == b64url_encode(mac)
    screen = hmac.digest(KEY, b'["screen",{"density":"2.625","h":2424,"w":1080}]', "sha256")
    assert KNOWN.components["screen"] == b64url_encode(screen)
    stable = ",".join(f'"{name}":"{KNOWN.components[name]}"' for name in sorted(STABLE))
    assert KNOWN.stable_hash == hashed(f'["android",{{{stable}}}]')


@pytest.mark.parametrize("key", [b"", bytes(31)])
def test_a_short_pepper_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Pepper(key)


def test_what_hashes_tell_apart() -> None:
    other = Sketch.of(payload.read(PHONE), Pepper(bytes(32)))
    assert not set(other.components.items()) & set(KNOWN.components.items()) - {("osVersion", "16.1")}
    same = sketch(PHONE, fonts=hashed("x"), keyboards=hashed("x")).components
    assert same["fonts"] != same["keyboards"]
    assert sketch(PHONE, carrier="Other", osVersion="17").stable_hash == KNOWN.stable_hash
    assert sketch(PHONE, model="Pixel 8").stable_hash != KNOWN.stable_hash
    assert sketch(PHONE, platform="ios").stable_hash != KNOWN.stable_hash
    one, other_text = (sketch(PHONE, screen={"w": 1, "h": 1, "density": d}) for d in (3, Number("3.00")))
    assert one == other_text


@pytest.mark.parametrize(
    ("shown", "score", "outcome"),
    [
        (PHONE, 1, Outcome.MATCH),
        (PHONE | {"osVersion": "17", "carrier": "Other", "locale": "sk-SK"}, 56 / 60, Outcome.MATCH),
        (PHONE | {"vendorId": hashed("new")}, 50 / 60, Outcome.DRIFT),
        (PHONE | {"vendorId": hashed("new"), "mediaDrmId": hashed("new")}, 40 / 60, Outcome.DRIFT),
        (
            PHONE | {"vendorId": hashed("a"), "mediaDrmId": hashed("b"), "model": "x", "hardware": "y"},
            34 / 60,
            Outcome.MISMATCH,
        ),
        (PHONE | {"platform": "ios"}, 0, Outcome.MISMATCH),
        (without("vendorId", "mediaDrmId"), 1, Outcome.MATCH),
        ({"v": 1, "platform": "android"}, 0, Outcome.MISMATCH),
        ({"v": 1, "platform": "android", "locale": "cs-CZ"}, 0, Outcome.MISMATCH),
        ({"v": 1, "platform": "android", "model": "Pixel 9", "hardware": "tokay"}, 0, Outcome.MISMATCH),
        ({"v": 1, "platform": "android", "vendorId": hashed("vendor")}, 1, Outcome.MATCH),
    ],
)
def test_scores(shown: dict[str, Any], score: float, outcome: Outcome) -> None:
    found = matching.compare(KNOWN, sketch(shown))
    assert (found.score, found.outcome) == (score, outcome)


def test_thresholds_belong_to_the_better_side() -> None:
    shown = sketch(PHONE, vendorId=hashed("new"))
    for thresholds, outcome in (
        (Thresholds(50 / 60, 0.1), Outcome.MATCH),
        (Thresholds(0.9, 50 / 60), Outcome.DRIFT),
        (Thresholds(0.95, 0.9), Outcome.MISMATCH),
    ):
        assert matching.compare(KNOWN, shown, thresholds).outcome is outcome
    for wrong in ((0.5, 0.6), (1.1, 0.6), (0.5, 0.0), (float("nan"), 0.6)):
        with pytest.raises(ValueError, match="thresholds"):
            Thresholds(*wrong)


def test_a_score_is_explained() -> None:
    found = matching.compare(KNOWN, sketch(PHONE, osVersion="15.9", vendorId=hashed("new")))
    assert found.changed == ("osVersion", "vendorId")
    assert {member.name for member in found.members} == KNOWN.components.keys()
    assert sum(member.weight for member in found.members if member.equal) == 48
    assert found.signals == {"fingerprint_drift", "os_downgrade", "dangerous_apps"}
    assert matching.compare(KNOWN, sketch(BROWSER)).signals == {"fingerprint_mismatch"}


@pytest.mark.parametrize(
    ("shown", "known", "older"),
    [
        ("17.9", "17.10", True),
        ("17", "17.0", False),
        ("17.0", "17.0.1", True),
        ("16", "9", False),
        ("beta", "16", False),
        ("16", None, False),
        (None, "16", False),
        ("9" * 64, "16", False),
    ],
)
def test_versions_have_an_order(shown: str | None, known: str | None, older: bool) -> None:
    assert matching.is_older(shown, known) is older


def test_only_what_was_recognised_changes_the_record() -> None:
    seen, later = Seen.first(KNOWN, NOW), NOW + timedelta(days=1)
    stranger = sketch(PHONE, platform="ios")
    assert matching.after(seen, stranger, matching.compare(KNOWN, stranger), later) is seen
    thin = sketch({"v": 1, "platform": "android", "vendorId": hashed("vendor"), "carrier": "Other"})
    again = matching.after(seen, thin, matching.compare(KNOWN, thin), later)
    assert again.sketch.components == {**KNOWN.components, **thin.components}
    assert again.sketch.flags == frozenset()
    assert (again.first_seen, again.last_seen, again.count) == (NOW, later, 2)
    assert again.again(KNOWN, NOW).last_seen == later, "a clock that was set back"


def test_the_most_alike_of_candidates() -> None:
    drifted = Seen.first(sketch(PHONE, osVersion="15"), NOW)
    older, newer = Seen.first(KNOWN, NOW), Seen.first(KNOWN, NOW + timedelta(days=1))
    assert matching.best([drifted, newer, older], KNOWN) == (newer, matching.compare(KNOWN, KNOWN))
    assert matching.best([Seen.first(sketch(BROWSER), NOW)], KNOWN) is None
    assert matching.best([], KNOWN) is None


SHOWN = st.fixed_dictionaries(
    {"v": st.just(1), "platform": st.sampled_from(["android", "ios"])},
    optional={name: st.sampled_from([PHONE[name], None]) for name in PHONE.keys() - {"v", "platform"}},
).flatmap(lambda members: st.sampled_from([members, members | {"model": "Other"}]))


@settings(max_examples=60)
@given(SHOWN, SHOWN)
def test_likeness_is_a_number_that_both_sides_agree_on(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = sketch(one), sketch(other)
    there, back = matching.compare(first, second), matching.compare(second, first)
    assert 0 <= there.score == back.score <= 1
    assert there.changed == back.changed
    assert Sketch.decoded(first.encoded()) == first
    renewed = first.renewed(second)
    assert matching.compare(renewed, replace(second, platform=first.platform)).changed == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just(Number("1.5")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.fuzz
@settings(max_examples=100 * SCALE, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(sorted(PHONE)) | st.just("web"), JSON, max_size=6))
def test_nothing_but_a_refusal_comes_out(changes: dict[str, Any]) -> None:
    """And what is taken can be stored and read again."""
    try:
        taken = payload.read(read_json(write_json(PHONE | changes)))
    except FingerprintInvalid:
        return
    made = Sketch.of(taken, PEPPER)
    assert Sketch.decoded(made.encoded()) == made
