"""Statements and who vouches for them (spec/device-trust.md §4.10, §4.14)."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from core_test_metadata import Publisher, entry
from core_test_passkeys import NOW, attested, register, registered, root_of
from cryptography.hazmat.primitives.serialization import Encoding
from fido2 import cbor as plain_cbor

from powerauth_core.passkeys.attestation import certificates, roots, statements, trust
from powerauth_core.passkeys.attestation.roots import Root
from powerauth_core.passkeys.attestation.trust import Sources, Trust, Verdict
from powerauth_core.passkeys.metadata import blob
from powerauth_core.passkeys.metadata.entries import Metadata
from powerauth_core.passkeys.refusals import PasskeyRefused, StatementInvalid
from powerauth_sdk.authenticator import Authenticator, Format, Maker, RegistrationResponse, corrupt
from powerauth_sdk.authenticator.device import TEST_MODEL
from powerauth_sdk.authenticator.statements import Shape

ANDROID = uuid.UUID("b93fd961-f2e6-462f-b122-82002247de78")
APPLE = uuid.UUID("f24a8e70-d0d3-f82c-2937-32523cc4de5a")
NOBODY = uuid.UUID(int=0)
CERTIFIED = [Format.PACKED, Format.TPM, Format.APPLE, Format.ANDROID_KEY, Format.FIDO_U2F]


def authenticator(fmt: Format, maker: Maker | None = None, **members: Any) -> Authenticator:
    if members.get("aaguid") is None:
        members["aaguid"] = NOBODY if fmt is Format.FIDO_U2F else TEST_MODEL
    return Authenticator(fmt=fmt, maker=maker or Maker(), **members)


def judged(response: RegistrationResponse, *given: Root, at: datetime = NOW, **sources: Any) -> Verdict:
    credential = registered(response)
    statement = attested(response)
    return trust.judge(
        statement, credential.aaguid, credential.key.algorithm, Sources(roots=given, **sources), at
    )


def metadata(*entries: dict[str, Any]) -> Metadata:
    publisher = Publisher()
    verified = blob.verify(publisher.sign(list(entries)), publisher.trust, NOW)
    assert verified is not None
    return verified.metadata


@pytest.mark.parametrize(("algorithm", "with_root"), [(-7, False), (-7, True), (-257, False)])
@pytest.mark.parametrize("fmt", CERTIFIED)
def test_every_format_ends_at_its_root(fmt: Format, with_root: bool, algorithm: int) -> None:
    if fmt is Format.FIDO_U2F:
        algorithm = -7
    one = authenticator(fmt, algorithm=algorithm, shape=Shape(with_root=with_root))
    root = root_of(one.maker, fmt, aaguids=[one.aaguid])
    response = register(one)
    assert judged(response).trust is Trust.UNVERIFIED
    verdict = judged(response, root)
    assert (verdict.trust, verdict.vouched, verdict.reason) == (Trust.LOCAL, True, None)


@pytest.mark.parametrize("fmt", [*CERTIFIED, Format.PACKED_SELF])
def test_one_bit_wrong_proves_nothing(fmt: Format) -> None:
    one = authenticator(fmt)
    response = register(one)
    statement: Any = plain_cbor.decode(response.attestation_object)
    root = root_of(one.maker, fmt, aaguids=[one.aaguid])
    for field in {"authData", "client_data_json"} | ({"sig", "x5c"} & set(statement["attStmt"])):
        for at in (-1, -40, 0, 60):
            try:
                verdict = judged(corrupt(response, field, at), root)
            except PasskeyRefused:
                continue
            assert verdict.trust is Trust.UNVERIFIED


def in_statement(response: RegistrationResponse, **members: Any) -> RegistrationResponse:
    decoded: Any = plain_cbor.decode(response.attestation_object)
    statement = {name: value for name, value in (decoded["attStmt"] | members).items() if value is not None}
    return replace(response, attestation_object=plain_cbor.encode({**decoded, "attStmt": statement}))


@pytest.mark.parametrize(
    "members",
    [
        {"alg": -257},
        {"alg": -35},
        {"alg": "ES256"},
        {"sig": None},
        {"sig": b""},
        {"x5c": []},
        {"x5c": [b"\x30"]},
    ],
)
def test_fi_11_a_packed_statement_that_is_not_whole(members: dict[str, Any]) -> None:
    with pytest.raises(StatementInvalid):
        attested(in_statement(register(authenticator(Format.PACKED)), **members))


def test_fi_11_self_attestation_with_another_key_or_algorithm() -> None:
    response = register(authenticator(Format.PACKED_SELF))
    other: Any = plain_cbor.decode(register(authenticator(Format.PACKED_SELF)).attestation_object)
    changes: list[dict[str, Any]] = [{"sig": other["attStmt"]["sig"]}, {"alg": -257}, {"x5c": []}]
    for changed in changes:
        with pytest.raises(StatementInvalid):
            attested(in_statement(response, **changed))


@pytest.mark.parametrize(
    "shape", [Shape(leaf_ca=True), Shape(leaf_aaguid=bytes(16)), Shape(leaf_aaguid=b"short")]
)
def test_fi_11_a_leaf_that_is_a_ca_or_of_another_model(shape: Shape) -> None:
    with pytest.raises(StatementInvalid):
        attested(register(authenticator(Format.PACKED, shape=shape)))


def test_fi_11_chains_that_end_nowhere() -> None:
    one = authenticator(Format.PACKED)
    root = root_of(one.maker, "packed", aaguids=[TEST_MODEL])
    response = register(one)
    decoded: Any = plain_cbor.decode(response.attestation_object)
    leaf, intermediate = decoded["attStmt"]["x5c"]
    foreign = Maker().intermediate.public_bytes(Encoding.DER)
    assert judged(in_statement(response, x5c=[leaf, foreign]), root).reason == "CHAIN"
    assert judged(in_statement(response, x5c=[leaf]), root).reason == "NO_ANCHOR"
    assert judged(in_statement(response, x5c=[leaf, intermediate, foreign]), root).reason == "CHAIN"
    assert judged(response, root_of(Maker(), "packed")).reason == "NO_ANCHOR"
    assert judged(response, root_of(one.maker, "tpm")).reason == "NO_ANCHOR"
    with pytest.raises(StatementInvalid):
        attested(in_statement(response, x5c=[leaf] * 7))


def test_fi_11_an_expired_chain_and_dates_of_the_anchor() -> None:
    past = (NOW - timedelta(days=30), NOW - timedelta(days=2))
    one = authenticator(Format.PACKED, Maker(dates=past))
    root = root_of(one.maker, "packed", aaguids=[TEST_MODEL])
    response = register(one)
    assert judged(response, root).reason == "EXPIRED"
    assert judged(response, root, at=NOW - timedelta(days=3)).trust is Trust.LOCAL
    lenient = replace(root, anchor=replace(root.anchor, allow_expired=True))
    assert judged(response, lenient).trust is Trust.LOCAL
    old = replace(root.anchor, certificate=one.maker.root_certificate(past))
    in_time = NOW - timedelta(days=3)
    assert judged(response, replace(root, anchor=old), at=in_time).trust is Trust.LOCAL
    strict = replace(root, anchor=replace(old, dates=True, allow_expired=True))
    assert judged(response, strict, at=NOW).reason == "EXPIRED"


def test_a_root_that_vouches_for_what_the_leaf_names() -> None:
    named, unnamed = (authenticator(Format.PACKED, shape=Shape(name_aaguid=which)) for which in (True, False))
    assert judged(register(named), root_of(named.maker, "packed")).vouched
    verdict = judged(register(unnamed), root_of(unnamed.maker, "packed"))
    assert (verdict.trust, verdict.vouched) == (Trust.LOCAL, False)


def test_fi_24_a_root_of_another_model_is_no_anchor() -> None:
    one = authenticator(Format.PACKED)
    assert judged(register(one), root_of(one.maker, "packed", aaguids=[ANDROID])).trust is Trust.UNVERIFIED
    android = authenticator(Format.ANDROID_KEY)
    google = root_of(android.maker, "android-key", aaguids=[ANDROID])
    assert judged(register(android), google).trust is Trust.UNVERIFIED


def google(maker: Maker) -> Root:
    return root_of(maker, "android-key", aaguids=[ANDROID], name="google-hw-rsa")


def test_fi_27_a_key_with_a_name_whatever_its_certificate() -> None:
    for with_root in (False, True):
        one = authenticator(Format.ANDROID_KEY, aaguid=ANDROID, shape=Shape(with_root=with_root))
        first = root_of(one.maker, "android-key", aaguids=[ANDROID])
        ended = one.maker.root_certificate((NOW - timedelta(days=900), NOW - timedelta(days=1)))
        old = replace(first, anchor=replace(first.anchor, certificate=ended))
        response = register(one)
        for at in (
            datetime(2026, 5, 23, tzinfo=UTC),
            datetime(2026, 5, 25, tzinfo=UTC),
            datetime(2030, 1, 1, tzinfo=UTC),
        ):
            assert judged(response, old, at=at).trust is Trust.LOCAL


@pytest.mark.parametrize(
    "shape",
    [Shape(challenge=bytes(32)), Shape(origin=2), Shape(all_applications=True)],
)
def test_fi_27_a_key_description_of_something_else(shape: Shape) -> None:
    with pytest.raises(StatementInvalid):
        attested(register(authenticator(Format.ANDROID_KEY, shape=shape)))


def test_fi_27_software_and_revoked_serials() -> None:
    soft = authenticator(Format.ANDROID_KEY, aaguid=ANDROID, shape=Shape(security_level=0))
    assert judged(register(soft), google(soft.maker)).reason == "SOFTWARE"
    one = authenticator(Format.ANDROID_KEY, aaguid=ANDROID, shape=Shape(security_level=2))
    serial = f"{one.maker.intermediate.serial_number:x}"
    verdict = judged(register(one), google(one.maker), revoked_serials={serial})
    assert (verdict.trust, verdict.cert_revoked) == (Trust.LOCAL, True)


def test_fi_27_a_public_web_root_in_the_entry_of_android_is_no_anchor() -> None:
    web, phone = Maker("Web"), Maker("Google")
    listed = metadata(entry(ANDROID, web.root, phone.root))
    for fmt in (Format.PACKED, Format.ANDROID_KEY):
        bought = authenticator(fmt, web, aaguid=ANDROID)
        assert judged(register(bought), google(phone), metadata=listed).trust is Trust.UNVERIFIED
    real = authenticator(Format.ANDROID_KEY, phone, aaguid=ANDROID)
    verdict = judged(register(real), google(phone), metadata=listed)
    assert (verdict.trust, verdict.anchor) == (Trust.VERIFIED, "google-hw-rsa")


def test_metadata_vouches_and_has_its_say_over_kind_and_algorithm() -> None:
    one = authenticator(Format.PACKED)
    response, root = register(one), one.maker.root
    assert judged(response, metadata=metadata(entry(TEST_MODEL, root))).trust is Trust.VERIFIED
    odd: list[tuple[dict[str, Any], str]] = [
        ({"attestationTypes": ["basic_surrogate"]}, "KIND"),
        ({"authenticationAlgorithms": ["secp384r1_ecdsa_sha384_raw"]}, "ALGORITHM"),
    ]
    for members, reason in odd:
        listed = metadata(entry(TEST_MODEL, root, **members))
        local = root_of(one.maker, "packed", aaguids=[TEST_MODEL])
        assert judged(response, local, metadata=listed).reason == reason


def test_fido_u2f_is_found_by_the_key_of_its_leaf() -> None:
    one = authenticator(Format.FIDO_U2F)
    response = register(one)
    leaf = attested(response).chain[0]
    identifier = certificates.key_identifier(leaf)
    listed = entry(NOBODY, one.maker.root)
    listed["attestationCertificateKeyIdentifiers"] = [identifier]
    del listed["aaguid"], listed["metadataStatement"]["aaguid"]
    verdict = judged(response, metadata=metadata(listed))
    assert (verdict.trust, verdict.vouched) == (Trust.VERIFIED, True)


@pytest.mark.parametrize("fmt", CERTIFIED)
def test_fi_17_a_stored_chain_is_judged_anew_with_the_moment_of_its_registration(fmt: Format) -> None:
    past = (NOW - timedelta(days=30), NOW - timedelta(days=2))
    one = authenticator(fmt, Maker(dates=past), aaguid=ANDROID if fmt is Format.ANDROID_KEY else None)
    roots_ = [root_of(one.maker, fmt, aaguids=[one.aaguid])]
    encoded: Any = plain_cbor.decode(register(one).attestation_object)
    again = statements.recalled(fmt, encoded["attStmt"]["x5c"])
    for at, expected in ((NOW - timedelta(days=9), Trust.LOCAL), (NOW, Trust.UNVERIFIED)):
        assert trust.judge(again, one.aaguid, -7, Sources(roots=roots_), at).trust is expected


def test_fi_17_old_records_of_safetynet_keep_the_web_roots_of_their_entry() -> None:
    web = Maker("Web")
    leaf = web.leaf(web.root_key.public_key())
    chain = [one.public_bytes(Encoding.DER) for one in (leaf, web.intermediate)]
    sources = Sources(metadata=metadata(entry(ANDROID, web.root)), roots=roots.shipped())
    old = statements.recalled("android-safetynet", chain)
    assert trust.judge(old, ANDROID, -7, sources, NOW).trust is Trust.VERIFIED
    for fmt, stored in (("none", chain), ("packed", []), ("android-key", chain)):
        with pytest.raises(StatementInvalid):
            statements.recalled(fmt, stored)


def test_the_shipped_roots_are_those_of_the_specification() -> None:
    shipped = {root.anchor.name: root for root in roots.shipped()}
    assert set(shipped) == {"google-hw-rsa", "google-key-attestation-ca1", "apple-webauthn"}
    assert shipped["google-hw-rsa"].serves("android-key", ANDROID, NOW)
    assert not shipped["google-hw-rsa"].serves("android-key", TEST_MODEL, NOW)
    assert not shipped["google-key-attestation-ca1"].serves("packed", ANDROID, NOW)
    assert shipped["apple-webauthn"].serves("apple", APPLE, NOW)
    with pytest.raises(PasskeyRefused):
        roots.read('[{"name": "broken"}]')
