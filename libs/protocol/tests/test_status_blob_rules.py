"""The status of an activation (spec/protocol-v3.md §9)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powerauth_protocol.common.aes import encrypt_cbc_unpadded
from powerauth_protocol.common.errors import DecryptionError, EncodingError
from powerauth_protocol.v3.keys import TransportKey
from powerauth_protocol.v3.status_blob import (
    ActivationStatus,
    StatusBlob,
    decrypt,
    decrypt_fields,
    random_blob,
    status_iv,
)

KEY = TransportKey(bytes(range(16)))
CHALLENGE = bytes(range(16, 32))
NONCE = bytes(range(32, 48))
BLOB = StatusBlob(
    activation_status=ActivationStatus.ACTIVE,
    failed_attempts=1,
    max_failed_attempts=5,
    ctr_byte=7,
    ctr_look_ahead=20,
    ctr_data_hash=bytes(range(16)),
)
octets = st.integers(0, 255)


def _encrypted(plain: bytes) -> bytes:
    return encrypt_cbc_unpadded(KEY, status_iv(KEY, CHALLENGE, NONCE), plain)


@settings(max_examples=60, deadline=None)
@given(
    blob=st.builds(
        StatusBlob,
        activation_status=octets,
        failed_attempts=octets,
        max_failed_attempts=octets,
        ctr_byte=octets,
        ctr_look_ahead=octets,
        ctr_data_hash=st.binary(min_size=16, max_size=16),
        current_version=octets,
        upgrade_version=octets,
        reserved=st.binary(min_size=5, max_size=5),
    ),
    key=st.binary(min_size=16, max_size=16).map(TransportKey),
    challenge=st.binary(min_size=16, max_size=16),
    nonce=st.binary(min_size=16, max_size=16),
)
def test_a_blob_round_trips(blob: StatusBlob, key: TransportKey, challenge: bytes, nonce: bytes) -> None:
    assert decrypt_fields(key, blob.encrypt(key, challenge, nonce), challenge, nonce) == blob
    assert decrypt_fields(key, blob.encrypt(key)) == blob


def test_a_client_reads_what_the_server_wrote() -> None:
    assert decrypt(KEY, BLOB.encrypt(KEY, CHALLENGE, NONCE), CHALLENGE, NONCE) == BLOB


@pytest.mark.parametrize("bit", range(32))
def test_every_flipped_bit_of_the_magic_is_refused(bit: int) -> None:
    plain = bytearray(BLOB.encode())
    plain[bit // 8] ^= 1 << (bit % 8)
    encrypted = _encrypted(bytes(plain))
    # The low nibble of the last byte is the format of the blob; any but zero may come from a later server.
    if bit // 8 == 3 and 1 <= bit % 8 <= 3:
        assert decrypt(KEY, encrypted, CHALLENGE, NONCE) == BLOB
        return
    with pytest.raises(DecryptionError):
        decrypt(KEY, encrypted, CHALLENGE, NONCE)


@pytest.mark.parametrize("bit", range(128))
def test_every_flipped_bit_of_the_first_ciphertext_block_is_refused(bit: int) -> None:
    encrypted = bytearray(BLOB.encrypt(KEY, CHALLENGE, NONCE))
    encrypted[bit // 8] ^= 1 << (bit % 8)
    with pytest.raises(DecryptionError):
        decrypt(KEY, bytes(encrypted), CHALLENGE, NONCE)


def test_a_blob_of_another_key_challenge_or_nonce_is_refused() -> None:
    encrypted = BLOB.encrypt(KEY, CHALLENGE, NONCE)
    for key, challenge, nonce in (
        (TransportKey(bytes(16)), CHALLENGE, NONCE),
        (KEY, bytes(16), NONCE),
        (KEY, CHALLENGE, bytes(16)),
        (KEY, None, None),
    ):
        with pytest.raises(DecryptionError):
            decrypt(key, encrypted, challenge, nonce)


@pytest.mark.parametrize("status", [0, 6, 255])
def test_a_state_out_of_range_is_refused(status: int) -> None:
    with pytest.raises(DecryptionError):
        decrypt(KEY, replace(BLOB, activation_status=status).encrypt(KEY, CHALLENGE, NONCE), CHALLENGE, NONCE)


@pytest.mark.parametrize("window", [0, 65, 255])
def test_a_window_out_of_range_is_refused_only_where_it_is_real(window: int) -> None:
    blob = replace(BLOB, ctr_look_ahead=window)
    with pytest.raises(DecryptionError):
        decrypt(KEY, blob.encrypt(KEY, CHALLENGE, NONCE), CHALLENGE, NONCE)
    assert decrypt(KEY, blob.encrypt(KEY)) == blob


def test_a_random_blob_reads_as_a_wrong_key() -> None:
    blob = random_blob()
    assert len(blob) == 32
    with pytest.raises(DecryptionError):
        decrypt(KEY, blob, CHALLENGE, NONCE)


@pytest.mark.parametrize(
    ("challenge", "nonce"), [(CHALLENGE, None), (None, NONCE), (b"", NONCE), (CHALLENGE, b"x")]
)
def test_challenge_and_nonce_have_sixteen_bytes_and_belong_together(
    challenge: bytes | None, nonce: bytes | None
) -> None:
    with pytest.raises(EncodingError):
        BLOB.encrypt(KEY, challenge, nonce)
    with pytest.raises(EncodingError):
        decrypt(KEY, bytes(32), challenge, nonce)


@pytest.mark.parametrize("length", [0, 16, 31, 33, 48])
def test_a_blob_has_thirty_two_bytes(length: int) -> None:
    with pytest.raises(EncodingError):
        decrypt(KEY, bytes(length), CHALLENGE, NONCE)


@pytest.mark.parametrize(
    "change", [{"failed_attempts": 256}, {"ctr_byte": -1}, {"ctr_data_hash": b""}, {"reserved": bytes(6)}]
)
def test_fields_that_do_not_fit_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(EncodingError):
        replace(BLOB, **change).encode()  # type: ignore[arg-type]


def test_filler_is_random_and_a_client_of_3_0_gets_no_counter() -> None:
    filler = {replace(BLOB, reserved=b"").without_counter().ctr_data_hash for _ in range(4)}
    assert len(filler) == 4
    assert BLOB.ctr_data_hash not in filler
    hidden = BLOB.without_counter()
    assert hidden.failed_attempts == BLOB.failed_attempts
    fields = {"activation_status": 3, "failed_attempts": 0, "max_failed_attempts": 5}
    counters = {"ctr_byte": 0, "ctr_look_ahead": 20, "ctr_data_hash": bytes(16)}
    assert len({StatusBlob(**fields, **counters).reserved for _ in range(4)}) == 4  # type: ignore[arg-type]


def test_an_upgrade_is_offered_only_to_older_activations() -> None:
    assert not BLOB.upgrade_available
    assert replace(BLOB, current_version=2).upgrade_available
