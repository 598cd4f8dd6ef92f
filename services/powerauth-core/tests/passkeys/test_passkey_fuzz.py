"""Whatever comes in, nothing but a refusal comes out (spec/device-trust.md §4.14)."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from core_test_metadata import Publisher, entry
from core_test_passkeys import EXPECTED, NOW, attested, register, root_of, sign_in
from fido2 import cbor as plain_cbor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from powerauth_core.fido_metadata import data_files
from powerauth_core.passkeys import authenticator_data, cbor, ceremony, client_data, der, keys, policy
from powerauth_core.passkeys.attestation import trust
from powerauth_core.passkeys.attestation.trust import Sources
from powerauth_core.passkeys.ceremony import AssertionAnswer, RegistrationAnswer
from powerauth_core.passkeys.metadata import blob, entries
from powerauth_core.passkeys.refusals import PasskeyRefused
from powerauth_protocol.common.json_text import Number, read_json, write_json
from powerauth_sdk.authenticator import Authenticator, Format, Maker
from powerauth_sdk.authenticator.device import TEST_MODEL

pytestmark = pytest.mark.fuzz

MAKER, PUBLISHER = Maker(), Publisher()
HONEST = {fmt: register(Authenticator(fmt=fmt, maker=MAKER)) for fmt in Format}
SIGNER = Authenticator()
CREDENTIAL_ID = register(SIGNER).credential_id
SIGNED = sign_in(SIGNER)
BLOB = PUBLISHER.sign([entry(TEST_MODEL, MAKER.root)])

SCALE = int(os.environ.get("POWERAUTH_FUZZ_SCALE", "1"))
noise = st.binary(max_size=64)
changes = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 2), noise), min_size=1, max_size=3)


def cases(number: int) -> settings:
    """So many examples in `make test`, the same each time; in `make fuzz` a multiple of them."""
    return settings(
        max_examples=number * SCALE,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


def changed(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Bytes put over others, put between them, or taken out."""
    for at, kind, put in edits:
        place = at % (len(data) + 1)
        taken = (len(put), 0, len(put))[kind]
        data = data[:place] + (b"" if kind == 2 else put) + data[place + taken :]
    return data


def quietly(call: Any, *args: Any, **members: Any) -> None:
    try:
        call(*args, **members)
    except PasskeyRefused:
        return


@cases(150)
@given(noise, st.integers(0, 2**64 - 1))
def test_parsers_of_noise(data: bytes, number: int) -> None:
    for parse in (cbor.decode, authenticator_data.parse, client_data.parse):
        quietly(parse, data)
        quietly(parse, plain_cbor.encode({number: data}))
    quietly(der.single, data, der.SEQUENCE)
    quietly(numbers, b"0" + bytes([len(data)]) + data)


def numbers(data: bytes) -> None:
    for item in der.single(data, der.SEQUENCE).items():
        item.integer()


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | noise | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@cases(100)
@given(st.dictionaries(st.sampled_from([1, 3, -1, -2, -3, -7, -8, -257, 2]), values, max_size=5))
def test_keys_of_anything(members: dict[int, Any]) -> None:
    for algorithm in (-7, -8, -257):
        quietly(keys.parse, {1: 2, 3: algorithm} | members, frozenset({algorithm}))


@cases(250)
@given(st.sampled_from(list(Format)), changes, st.booleans())
def test_registrations_that_were_tampered_with(fmt: Format, edits: Any, client: bool) -> None:
    response = HONEST[fmt]
    field = "client_data_json" if client else "attestation_object"
    broken: dict[str, Any] = {field: changed(getattr(response, field), edits)}
    quietly(attested, replace(response, **broken))


members_of_statements = st.sampled_from(["alg", "sig", "x5c", "ver", "certInfo", "pubArea"])


@cases(250)
@given(st.sampled_from(list(Format)), members_of_statements, values | st.lists(noise), changes)
def test_statements_of_anything(fmt: Format, member: str, value: Any, edits: Any) -> None:
    decoded: Any = plain_cbor.decode(HONEST[fmt].attestation_object)
    statement = dict(decoded["attStmt"])
    before = statement.get(member)
    if isinstance(before, bytes):
        value = changed(before, edits)
    elif isinstance(before, list):
        value = [changed(before[0], edits), *before[1:]]
    try:
        encoded = plain_cbor.encode({**decoded, "attStmt": statement | {member: value}})
    except (ValueError, OverflowError):
        return
    quietly(judged, replace(HONEST[fmt], attestation_object=encoded))


def judged(response: Any) -> None:
    roots = [root_of(MAKER, *(fmt.value for fmt in Format))]
    trust.judge(attested(response), TEST_MODEL, -7, Sources(roots=roots), NOW)


@cases(100)
@given(changes, st.sampled_from(["authenticator_data", "client_data_json", "signature"]))
def test_sign_ins_that_were_tampered_with(edits: Any, field: str) -> None:
    broken: dict[str, Any] = {field: changed(getattr(SIGNED, field), edits)}
    response = replace(SIGNED, **broken)
    answer = AssertionAnswer(
        credential_id=CREDENTIAL_ID,
        client_data_json=response.client_data_json,
        authenticator_data=response.authenticator_data,
        signature=response.signature,
    )
    quietly(ceremony.assertion, answer, EXPECTED, None)


@cases(100)
@given(changes)
def test_blobs_that_were_tampered_with(edits: Any) -> None:
    quietly(blob.verify, changed(BLOB, edits), PUBLISHER.trust, NOW)


MEMBERS = ("aaguid", "attestationCertificateKeyIdentifiers", "metadataStatement", "statusReports")
STATEMENT = ("description", "attestationTypes", "authenticationAlgorithms", "attestationRootCertificates")


@cases(150)
@given(
    st.dictionaries(st.sampled_from(MEMBERS), values, max_size=3),
    st.dictionaries(st.sampled_from(STATEMENT), values, max_size=3),
)
def test_entries_of_anything_cost_no_other_model(members: dict[str, Any], statement: dict[str, Any]) -> None:
    sound = entry(TEST_MODEL, MAKER.root)
    odd = entry(uuid.uuid4(), MAKER.root)
    odd["metadataStatement"] |= statement
    found = entries.read(1, NOW.date(), [odd | members, sound, members, statement], [statement])
    assert found.by_aaguid[TEST_MODEL].roots == (MAKER.root,)


@cases(50)
@given(values, noise)
def test_lists_of_revoked_serials_of_anything(value: Any, data: bytes) -> None:
    quietly(data_files.revoked_serials, data)
    quietly(data_files.revoked_serials, json.dumps({"entries": value}, default=str).encode())


NAMES = (*policy.Policy.model_json_schema()["properties"], "enforceAttestation", "maxFailures")
NEAR: tuple[Any, ...] = (
    True,
    1,
    0,
    "true",
    "yes",
    "off",
    "enforce",
    "-7",
    Number("-7.0"),
    [True],
    [Number("-7.0")],
    ["-7"],
    [],
)


@pytest.mark.parametrize("further", [{}, {"mdsMode": "monitor"}, {"aaguidAllowList": [str(TEST_MODEL)]}])
def test_policies_of_other_types_are_stored_as_they_are_taken(further: dict[str, Any]) -> None:
    for name, value in product(NAMES, NEAR):
        read_again({"rpId": "bank.example"} | further | {name: value})


@cases(150)
@given(st.dictionaries(st.sampled_from(NAMES), values, max_size=4))
def test_policies_of_anything_are_stored_as_they_are_taken(members: dict[str, Any]) -> None:
    read_again({"rpId": "bank.example"} | members)


def read_again(members: dict[str, Any]) -> None:
    try:
        found = policy.read(members, root_names=policy.DEFAULT_ROOTS)
    except PasskeyRefused:
        return
    stored = read_json(write_json(policy.written(found)))
    assert policy.read(stored, root_names=(), stored=True) == found


def test_an_attestation_object_of_a_megabyte_is_not_read() -> None:
    answer = RegistrationAnswer(
        credential_id=b"",
        client_data_json=b"",
        attestation_object=b"\x9a\x00\x0f\xff\xff" + b"\0" * (1 << 20),
    )
    quietly(ceremony.registration, answer, EXPECTED)
