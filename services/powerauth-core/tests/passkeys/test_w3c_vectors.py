"""The test vectors of Web Authentication Level 3, section 16 (spec/device-trust.md §4.12)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from fido2 import cbor as plain_cbor

from powerauth_core.passkeys import ceremony, keys
from powerauth_core.passkeys.attestation import statements, trust
from powerauth_core.passkeys.attestation.chains import Anchor
from powerauth_core.passkeys.attestation.roots import Root
from powerauth_core.passkeys.attestation.statements import Kind
from powerauth_core.passkeys.attestation.trust import Sources, Trust
from powerauth_core.passkeys.ceremony import AssertionAnswer, Expected, RegistrationAnswer, StoredCredential
from powerauth_core.passkeys.refusals import PasskeyRefused

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data/w3c_webauthn_3.json").read_text(encoding="utf-8")
)
CASES: dict[str, dict[str, Any]] = {case["section"]: case for case in VECTORS["cases"]}
REFUSED = {
    "16.4": "TOP_ORIGIN",
    "16.8": "ALGORITHM",
    "16.9": "ALGORITHM",
    "16.12": "ALGORITHM",
    "16.14": "KEY_ORIGIN",
    "16.16": "AAGUID",
}
"""Where this product is stricter than the specification, and by which name: no top origin is given, an
algorithm that no policy can allow, no origin in the key description, an AAGUID beside fido-u2f."""
KINDS = {"16.3": Kind.SELF, "16.13": Kind.ATTCA, "16.15": Kind.ANONCA}

ALL = Expected(
    rp_id=VECTORS["rpId"],
    origins=frozenset({VECTORS["origin"]}),
    top_origins=frozenset({VECTORS["topOrigin"]}),
    algorithms=frozenset({keys.ES256, keys.EDDSA, keys.RS256}),
)


def binary(case: dict[str, Any], of: str, name: str) -> bytes:
    return bytes.fromhex(case[of][name])


def registration_answer(case: dict[str, Any]) -> RegistrationAnswer:
    encoded = binary(case, "registration", "attestationObject")
    members: Any = plain_cbor.decode(encoded)
    data = members["authData"]
    size = int.from_bytes(data[53:55], "big")
    return RegistrationAnswer(
        credential_id=data[55 : 55 + size],
        client_data_json=binary(case, "registration", "clientDataJSON"),
        attestation_object=encoded,
    )


def register(
    case: dict[str, Any], answer: RegistrationAnswer
) -> tuple[ceremony.Registered, statements.Statement]:
    expected = replace(ALL, challenge=binary(case, "registration", "challenge"))
    registered = ceremony.registration(answer, expected)
    return registered, statements.verify(registered)


def assertion_answer(case: dict[str, Any], credential_id: bytes) -> AssertionAnswer:
    part = {name: binary(case, "authentication", name) for name in case["authentication"]}
    return AssertionAnswer(
        credential_id=credential_id,
        client_data_json=part["clientDataJSON"],
        authenticator_data=part["authenticatorData"],
        signature=part["signature"],
    )


def sign_in(
    case: dict[str, Any], registered: ceremony.Registered, answer: AssertionAnswer
) -> ceremony.Asserted:
    expected = replace(ALL, challenge=binary(case, "authentication", "challenge"))
    eligible = bool(registered.flags & registered.flags.BE)
    return ceremony.assertion(
        answer, expected, StoredCredential(registered.credential_id, registered.key, eligible)
    )


ACCEPTED = [case for section, case in CASES.items() if section not in REFUSED]


def title(case: dict[str, Any]) -> str:
    return f"{case['section']}-{case['title']}".replace(" ", "")


def test_all_fifteen_are_here() -> None:
    assert len(CASES) == 15


@pytest.mark.parametrize("case", ACCEPTED, ids=title)
def test_a_vector_is_accepted(case: dict[str, Any]) -> None:
    registered, statement = register(case, registration_answer(case))
    default = Kind.NONE if registered.fmt == "none" else Kind.BASIC
    assert statement.kind is KINDS.get(case["section"], default)
    sign_in(case, registered, assertion_answer(case, registered.credential_id))


@pytest.mark.parametrize("section", REFUSED)
def test_a_vector_beyond_what_is_taken_is_refused_by_name(section: str) -> None:
    case = CASES[section]
    with pytest.raises(PasskeyRefused) as refused:
        register(case, registration_answer(case))
    assert refused.value.reason == REFUSED[section]


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def in_statement(encoded: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    members: Any = plain_cbor.decode(encoded)
    statement = dict(members["attStmt"])
    change(statement)
    return plain_cbor.encode({**members, "attStmt": statement})


def places(length: int) -> range:
    """Some twelve offsets over all of it, the first and one of the last among them."""
    return range(0, length, max(1, length // 12))


@pytest.mark.parametrize("case", CASES.values(), ids=title)
def test_one_byte_changed_in_a_registration_is_refused(case: dict[str, Any]) -> None:
    answer = registration_answer(case)
    members: Any = plain_cbor.decode(answer.attestation_object)
    broken = [
        replace(answer, client_data_json=flipped(answer.client_data_json, at))
        for at in places(len(answer.client_data_json))
        if members["fmt"] != "none"
    ]
    broken += [
        replace(
            answer,
            attestation_object=plain_cbor.encode({**members, "authData": flipped(members["authData"], at)}),
        )
        for at in places(len(members["authData"]))
        if members["fmt"] != "none"
    ]
    for name in {"sig", "x5c"} & set(members["attStmt"]):
        broken += in_statement_broken(answer, members, name)
    for changed in broken:
        with pytest.raises(PasskeyRefused):
            register(case, changed)


def in_statement_broken(answer: RegistrationAnswer, members: Any, name: str) -> list[RegistrationAnswer]:
    """A byte of the signature, or of the part of a certificate that the format itself looks at: its key."""
    value = members["attStmt"][name]
    if name == "sig":
        changed: list[Any] = [flipped(value, at) for at in places(len(value))]
    else:
        point = value[0].index(bytes.fromhex("03420004")) + 4
        changed = [[flipped(value[0], point + at), *value[1:]] for at in range(0, 64, 4)]
    return [
        replace(
            answer,
            attestation_object=plain_cbor.encode({**members, "attStmt": {**members["attStmt"], name: part}}),
        )
        for part in changed
    ]


@pytest.mark.parametrize("section", ["16.7", "16.10", "16.11", "16.13", "16.15"])
def test_one_byte_changed_in_a_certificate_breaks_the_chain(section: str) -> None:
    case = CASES[section]
    answer = registration_answer(case)
    assert judged(case, answer) is Trust.LOCAL
    members: Any = plain_cbor.decode(answer.attestation_object)
    leaf = members["attStmt"]["x5c"][0]
    for at in range(0, len(leaf), 40):
        statement = {**members["attStmt"], "x5c": [flipped(leaf, at)]}
        encoded = plain_cbor.encode({**members, "attStmt": statement})
        try:
            trusted = judged(case, replace(answer, attestation_object=encoded))
        except PasskeyRefused:
            continue
        assert trusted is Trust.UNVERIFIED


def judged(case: dict[str, Any], answer: RegistrationAnswer) -> Trust:
    certificate = x509.load_der_x509_certificate(bytes.fromhex(VECTORS["attestationRoot"]))
    root = Root(Anchor.of_certificate(certificate, dates=True), frozenset({"packed", "tpm", "apple"}))
    registered, statement = register(case, answer)
    moment = datetime(2026, 1, 14, tzinfo=UTC)
    algorithm = registered.key.algorithm
    return trust.judge(statement, registered.aaguid, algorithm, Sources(roots=[root]), moment).trust


@pytest.mark.parametrize("case", ACCEPTED, ids=title)
def test_one_byte_changed_in_a_sign_in_is_refused(case: dict[str, Any]) -> None:
    registered, _ = register(case, registration_answer(case))
    answer = assertion_answer(case, registered.credential_id)
    for name in ("client_data_json", "authenticator_data", "signature", "credential_id"):
        value = getattr(answer, name)
        for at in places(len(value)):
            changed: dict[str, Any] = {name: flipped(value, at)}
            with pytest.raises(PasskeyRefused):
                sign_in(case, registered, replace(answer, **changed))
