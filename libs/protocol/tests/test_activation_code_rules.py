"""Activation and recovery codes, QR texts, fingerprint (spec/protocol-v3.md §3)."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.v3 import activation_code, recovery
from powerauth_protocol.v3.activation_code import (
    ActivationQr,
    build_qr,
    build_recovery_qr,
    generate,
    has_valid_checksum,
    normalise_typed,
    parse_qr,
    validate,
    verify_signature,
)
from powerauth_protocol.v3.fingerprint import activation_fingerprint, device_fingerprint
from powerauth_protocol.v3.keys import generate_key_pair

ALPHABET = string.ascii_uppercase + "234567"
random10 = st.binary(min_size=10, max_size=10)
MASTER = generate_key_pair()
CODE = "45AWJ-BVACS-SBWHS-ABANA"


@settings(max_examples=60, deadline=None)
@given(random10)
def test_a_generated_code_is_valid(data: bytes) -> None:
    code = generate(data)
    assert len(code) == activation_code.CODE_LENGTH
    assert validate(code)
    assert code[-1] in "AQ"


@settings(max_examples=20, deadline=None)
@given(random10, st.integers(0, 22))
def test_every_other_character_at_any_place_is_refused(data: bytes, place: int) -> None:
    code = generate(data)
    for character in set(ALPHABET + "-018a ") - {code[place]}:
        assert not validate(code[:place] + character + code[place + 1 :])


def test_spare_bits_of_the_last_character_pass_the_checksum_but_not_the_full_check() -> None:
    spelled_otherwise = CODE[:-1] + "B"
    assert has_valid_checksum(spelled_otherwise)
    assert not validate(spelled_otherwise)


def test_codes_are_random() -> None:
    assert len({generate() for _ in range(50)}) == 50


@pytest.mark.parametrize("length", [0, 9, 11])
def test_ten_random_bytes_make_a_code(length: int) -> None:
    with pytest.raises(EncodingError):
        generate(bytes(length))


@pytest.mark.parametrize(
    "typed",
    [CODE.lower(), CODE.replace("-", ""), f" {CODE} ", CODE.replace("-", " "), "45awjbvacssbwhsabana"],
)
def test_typed_codes_are_understood(typed: str) -> None:
    assert normalise_typed(typed) == CODE


def test_zero_and_one_are_typed_for_letters() -> None:
    assert normalise_typed("0ooo1-iiiii") == "OOOOI-IIIII"


def test_a_signature_is_over_the_code_with_dashes() -> None:
    signature = activation_code.sign(CODE, MASTER.private)
    assert verify_signature(CODE, signature, MASTER.public)
    assert not verify_signature(CODE.replace("-", ""), signature, MASTER.public)
    assert not verify_signature(CODE, signature, generate_key_pair().public)
    assert not verify_signature(CODE, b"", MASTER.public)


def test_qr_texts_round_trip() -> None:
    signature = activation_code.sign(CODE, MASTER.private)
    assert parse_qr(build_qr(CODE, signature)) == ActivationQr(CODE, signature, False)
    assert parse_qr(build_qr(CODE)) == ActivationQr(CODE, None, False)
    assert parse_qr(build_recovery_qr(CODE)) == ActivationQr(CODE, None, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#",
        f"{CODE}#",
        f"#{CODE}",
        f"{CODE}#!",
        f"{CODE}#AAAA#AAAA",
        f"{CODE}#AA",
        f"R:{CODE}#AAAA",
        f"R:{CODE}#",
        f"R:R:{CODE}",
        f"r:{CODE}",
        f" {CODE}",
        f"{CODE}\n",
        CODE.lower(),
        CODE[:-1] + "B",
    ],
)
def test_malformed_qr_texts_are_refused(text: str) -> None:
    with pytest.raises(EncodingError):
        parse_qr(text)


@pytest.mark.parametrize("secret_length", [16, 32])
def test_recovery_puks_are_distinct_and_derived_again(secret_length: int) -> None:
    secret = bytes(range(secret_length))
    made = recovery.generate(secret, 30)
    assert len(set(made.puks)) == 30
    assert all(len(puk) == 10 and puk.isdigit() for puk in made.puks)
    assert validate(made.code)
    assert recovery.derive(secret, made.nonce, made.indexes) == made
    assert list(made.puk_derivation_indexes) == list(range(1, 31))
    assert recovery.generate(secret, 1).code != made.code


@pytest.mark.parametrize("count", [-1, 0, 101])
def test_one_to_a_hundred_puks(count: int) -> None:
    with pytest.raises(EncodingError):
        recovery.generate(bytes(16), count)


def test_recovery_inputs_are_checked() -> None:
    with pytest.raises(EncodingError):
        recovery.derive(bytes(16), bytes(31), [1])
    for index in (1 << 63, -(1 << 63) - 1):
        with pytest.raises(EncodingError):
            recovery.derive(bytes(16), bytes(32), [index])


def test_recovery_secrets_do_not_show_in_representations() -> None:
    made = recovery.generate(bytes(16), 1)
    for secret in (made.code, made.puks[0], str(made.indexes[0])):
        assert secret not in repr(made)


def test_the_fingerprint_depends_on_both_keys_and_the_activation() -> None:
    device, server = generate_key_pair().public, generate_key_pair().public
    prints = {
        activation_fingerprint(device, server, "id"),
        activation_fingerprint(server, device, "id"),
        activation_fingerprint(device, server, "di"),
        device_fingerprint(device),
    }
    assert len(prints) == 4
    assert all(len(text) == 8 and text.isdigit() for text in prints)
