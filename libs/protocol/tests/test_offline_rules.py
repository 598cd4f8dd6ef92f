"""Offline data and the proximity password (spec/protocol-v3.md §8.7 to §8.9)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powerauth_protocol.common import totp
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.v3 import offline
from powerauth_protocol.v3.keys import generate_key_pair
from powerauth_protocol.v3.offline import (
    KeyIndicator,
    OfflinePayload,
    build_non_personalized,
    build_personalized,
    offline_body,
    parse_offline_payload,
)

SERVER = generate_key_pair()
NONCE = bytes(range(16))
DATA = "op-1\nPayment\nConfirm 100 CZK\nA1*A100CZK\nBX"

lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=20)
printable = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32), max_size=20)


@settings(max_examples=40, deadline=None)
@given(
    operation_id=lines,
    title=printable,
    message=printable,
    data=lines,
    flags=lines,
    otp=st.none() | st.from_regex(r"[0-9]{6,8}", fullmatch=True),
    nonce=st.binary(min_size=16, max_size=16),
)
def test_a_payload_round_trips(
    operation_id: str, title: str, message: str, data: str, flags: str, otp: str | None, nonce: bytes
) -> None:
    content = "\n".join([operation_id, offline.escape(title), offline.escape(message), data, flags])
    payload = parse_offline_payload(build_personalized(content, nonce, SERVER.private, otp))
    assert payload.verify(SERVER.public)
    assert payload.personalized
    assert (payload.operation_id, payload.operation_data, payload.flags) == (operation_id, data, flags)
    assert (payload.title, payload.message) == (title, message)
    assert (payload.totp, payload.nonce) == (otp, nonce)
    assert payload.body() == offline_body(operation_id, data, otp)


def test_a_non_personalised_payload_names_the_master_key() -> None:
    payload = parse_offline_payload(build_non_personalized(DATA, NONCE, SERVER.private))
    assert payload.key_indicator is KeyIndicator.MASTER
    assert not payload.personalized
    assert payload.verify(SERVER.public)
    assert not payload.verify(generate_key_pair().public)
    assert payload.biometry_allowed


def _verified(text: str) -> OfflinePayload | None:
    try:
        payload = parse_offline_payload(text)
    except EncodingError:
        return None
    return payload if payload.verify(SERVER.public) else None


@pytest.mark.parametrize("otp", [None, "12345678"])
def test_every_flipped_bit_of_a_payload_is_refused(
    otp: str | None, bit_flips: Callable[[bytes], Iterator[bytes]]
) -> None:
    text = build_personalized(DATA, NONCE, SERVER.private, otp)
    assert _verified(text) is not None
    for changed in bit_flips(text.encode()):
        assert _verified(changed.decode("latin-1")) is None


def test_a_nonce_is_made_if_none_is_given() -> None:
    first, second = (parse_offline_payload(build_personalized(DATA, None, SERVER.private)) for _ in range(2))
    assert first.nonce != second.nonce


def test_future_lines_are_kept_and_the_last_three_still_found() -> None:
    payload = parse_offline_payload(build_personalized(f"{DATA}\nfuture", NONCE, SERVER.private, "123456"))
    assert payload.totp == "123456"
    assert payload.lines[5] == "future"
    assert parse_offline_payload(build_personalized(f"{DATA}\nfuture", NONCE, SERVER.private)).totp is None


def test_flags_of_digits_are_no_password_in_seven_lines() -> None:
    data = "op-1\nPayment\nConfirm\nA1\n12345678"
    assert parse_offline_payload(build_personalized(data, NONCE, SERVER.private)).totp is None


def test_escapes() -> None:
    assert offline.escape("a\nb\\n") == "a\\nb\\\\n"
    for control in ("\r", "\t", "\x00", "\x1f"):
        with pytest.raises(EncodingError):
            offline.escape(control)


SIGNATURE = b64encode(b"signature")
NONCE_TEXT = b64encode(NONCE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n" * 5,
        "\n" * 6,
        "\n".join([*DATA.split("\n"), NONCE_TEXT, f"2{SIGNATURE}"]),
        "\n".join([*DATA.split("\n"), NONCE_TEXT, "1"]),
        "\n".join([*DATA.split("\n"), NONCE_TEXT, f"1{SIGNATURE}", ""]),
        "\n".join([*DATA.split("\n"), NONCE_TEXT, f"1 {SIGNATURE}"]),
        "\n".join([*DATA.split("\n"), NONCE_TEXT[:-2], f"1{SIGNATURE}"]),
        "\n".join([*DATA.split("\n"), b64encode(NONCE[:15]), f"1{SIGNATURE}"]),
        "\n".join(["id", "tab\there", "m", "d", "", NONCE_TEXT, f"1{SIGNATURE}"]),
        "\n".join(["id", "t", "m\r", "d", "", NONCE_TEXT, f"1{SIGNATURE}"]),
        "\n".join(["\ud800", "t", "m", "d", "", NONCE_TEXT, f"1{SIGNATURE}"]),
    ],
)
def test_malformed_payloads_are_refused(text: str) -> None:
    with pytest.raises(EncodingError):
        parse_offline_payload(text)


@pytest.mark.parametrize(("nonce", "otp"), [(bytes(15), None), (NONCE, ""), (NONCE, "12a"), (NONCE, "1\n2")])
def test_malformed_parts_are_not_built(nonce: bytes, otp: str | None) -> None:
    with pytest.raises(EncodingError):
        build_personalized(DATA, nonce, SERVER.private, otp)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.binary(min_size=1, max_size=64),
    moment=st.integers(20_000, 1 << 40),
    step=st.integers(1, 3600),
    digits=st.integers(6, 8),
    past=st.integers(0, 3),
    accepted=st.integers(0, 3),
)
def test_a_password_of_the_past_is_accepted_within_the_window(
    seed: bytes, moment: int, step: int, digits: int, past: int, accepted: int
) -> None:
    moment += past * step
    otp = totp.totp(seed, moment - past * step, step, digits)
    valid = totp.validate(otp, seed, moment, step, digits, accepted)
    window = {totp.totp(seed, moment - back * step, step, digits) for back in range(accepted + 1)}
    assert valid == (otp in window)
    assert valid or past > accepted


def test_a_password_of_the_future_is_refused() -> None:
    otp = totp.totp(NONCE, 90)
    assert not totp.validate(otp, NONCE, 60, backward_steps=3)
    assert totp.validate(otp, NONCE, 90, backward_steps=0)


def test_the_first_steps_of_time_do_not_fail() -> None:
    assert totp.validate(totp.totp(NONCE, 0), NONCE, 5, backward_steps=4)


@pytest.mark.parametrize("otp", ["", "1234567", "123456789"])
def test_a_password_of_another_length_is_an_error(otp: str) -> None:
    with pytest.raises(EncodingError):
        totp.validate(otp, NONCE, 60)


def test_letters_in_a_password_are_wrong_not_an_error() -> None:
    assert not totp.validate("abcdefgh", NONCE, 60)
    assert not totp.validate("１２３４５６７８", NONCE, 60)  # noqa: RUF001
    assert not totp.validate("\ud800" * 8, NONCE, 60)


@pytest.mark.parametrize(
    ("moment", "step", "digits", "algorithm"),
    [
        (-1, 30, 8, "SHA256"),
        (60, 0, 8, "SHA256"),
        (60, 30, 9, "SHA256"),
        (60, 30, 8, "SHA1"),
        (1 << 80, 1, 8, "SHA256"),
    ],
)
def test_parameters_out_of_range_are_refused(moment: int, step: int, digits: int, algorithm: str) -> None:
    with pytest.raises(EncodingError):
        totp.totp(NONCE, moment, step, digits, algorithm)


def test_the_signature_text_is_what_follows_the_indicator() -> None:
    text = build_personalized(DATA, NONCE, SERVER.private)
    payload = parse_offline_payload(text)
    assert payload.signed_part.endswith("\n1")
    assert text == payload.signed_part + base64.b64encode(payload.signature).decode()
