"""Tokens, vault, password hashes, records at rest, SDK configuration (spec/protocol-v3.md §10, §11, §14)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powerauth_protocol.common import password_hash, record_encryption
from powerauth_protocol.common.aes import encrypt_cbc
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import (
    DecryptionError,
    EncodingError,
    KeyFormatError,
    RecordDecryptionFailed,
    RecordKeyMissing,
    RecordModeUnknown,
    RecordTooShort,
)
from powerauth_protocol.common.record_encryption import EncryptionMode, ValueKind
from powerauth_protocol.common.sdk_config import MobileSdkConfig
from powerauth_protocol.v3 import vault
from powerauth_protocol.v3.data_digest import data_digest, generate_data_digest
from powerauth_protocol.v3.keys import TransportKey, VaultKey, export_public_key, generate_key_pair
from powerauth_protocol.v3.token import generate_token_secret, token_digest, verify_token_digest
from powerauth_protocol.v3.versions import ProtocolVersion

MASTER_KEY = b"1234567890123456"
PARTS = ("test", "015286e0-e1c5-4ee1-8d1b-c6947cab0a56")
Flips = Callable[[bytes], Iterator[bytes]]
key16 = st.binary(min_size=16, max_size=16)


@settings(max_examples=40, deadline=None)
@given(key16, key16, st.integers(0, 10**15), st.sampled_from(ProtocolVersion))
def test_a_token_digest_verifies(secret: bytes, nonce: bytes, moment: int, version: ProtocolVersion) -> None:
    digest = token_digest(secret, nonce, moment, version)
    assert verify_token_digest(digest, secret, nonce, moment, version)
    assert not verify_token_digest(digest, secret, nonce, moment + 1, version)


def test_every_flipped_bit_of_a_token_digest_is_refused(bit_flips: Flips) -> None:
    secret, nonce, version = bytes(range(16)), bytes(16), ProtocolVersion.V3_3
    for changed in bit_flips(token_digest(secret, nonce, 1, version)):
        assert not verify_token_digest(changed, secret, nonce, 1, version)
    for changed in (b"", token_digest(secret, nonce, 1, version)[:31]):
        assert not verify_token_digest(changed, secret, nonce, 1, version)


def test_a_token_digest_of_3_2_and_later_is_bound_to_its_version() -> None:
    digests = {version: token_digest(bytes(16), bytes(16), 1, version) for version in ProtocolVersion}
    assert digests[ProtocolVersion.V3_0] == digests[ProtocolVersion.V3_1]
    assert len(set(digests.values())) == 3


def test_token_inputs_are_checked() -> None:
    with pytest.raises(KeyFormatError):
        token_digest(bytes(15), bytes(16), 1, ProtocolVersion.V3_3)
    for nonce, moment in ((bytes(15), 1), (bytes(16), -1)):
        with pytest.raises(EncodingError):
            token_digest(bytes(16), nonce, moment, ProtocolVersion.V3_3)
    assert generate_token_secret() != generate_token_secret()


@settings(max_examples=30, deadline=None)
@given(key16, key16)
def test_the_vault_key_round_trips(transport: bytes, key: bytes) -> None:
    wrapped = vault.wrap_vault_key(TransportKey(transport), VaultKey(key))
    assert len(wrapped) == 32
    assert vault.unwrap(TransportKey(transport), wrapped) == key


def test_the_device_key_round_trips_and_needs_its_vault_key() -> None:
    device = generate_key_pair()
    encrypted = vault.encrypt_device_private_key(VaultKey(bytes(16)), device.private)
    restored = vault.decrypt_device_private_key(VaultKey(bytes(16)), encrypted)
    assert restored.private_numbers() == device.private.private_numbers()
    for key in range(1, 40):
        wrong = VaultKey(bytes([key]) * 16)
        try:
            other = vault.decrypt_device_private_key(wrong, encrypted)
        except DecryptionError:
            continue
        assert other.private_numbers() != device.private.private_numbers()


def test_vault_inputs_of_other_lengths_are_refused() -> None:
    with pytest.raises(KeyFormatError):
        vault.wrap_vault_key(TransportKey(bytes(16)), VaultKey(bytes(15)))
    for length in (0, 16, 31):
        with pytest.raises(DecryptionError):
            vault.unwrap(TransportKey(bytes(16)), bytes(length))
    for length in (0, 15, 17):
        wrapped = encrypt_cbc(bytes(16), bytes(16), bytes(length))
        with pytest.raises(DecryptionError):
            vault.unwrap(TransportKey(bytes(16)), wrapped)


def test_keys_for_application_data_differ_by_index() -> None:
    assert vault.derive_vault_subkey(VaultKey(bytes(16)), 1) != vault.derive_vault_subkey(
        VaultKey(bytes(16)), 2
    )


def test_a_password_verifies_against_its_hash_only() -> None:
    stored = password_hash.hash_password("1234567890")
    assert stored.startswith("$argon2i$v=19$m=32768,t=3,p=16$")
    assert stored != password_hash.hash_password("1234567890")
    assert password_hash.verify_password("1234567890", stored)
    assert not password_hash.verify_password("1234567891", stored)


@pytest.mark.parametrize("kind", ["i", "d", "id"])
@pytest.mark.parametrize("version", ["", "v=16$", "v=19$"])
def test_stored_parameters_are_read_from_the_text(kind: str, version: str) -> None:
    head, salt = f"$argon2{kind}${version}m=64,t=1,p=2", "AAAAAAAAAAAAAAAAAAAAAA"
    assert not password_hash.verify_password("1", f"{head}${salt}${'A' * 43}")


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "$argon2x$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43,
        "$argon2i$v=18$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43,
        "$argon2i$v=19$m=999999999,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43,
        "$argon2i$v=19$m=64,t=999999999,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43,
        "$argon2i$v=19$m=64,t=1,p=0$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43,
        "$argon2i$v=19$m=8,t=1,p=16$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43,
        "$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAAAA$" + "A" * 43,
        "$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43 + "\n",
        "$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA==$" + "A" * 43,
        "$2b$12$abcdefghijklmnopqrstuv",
    ],
)
def test_malformed_or_excessive_hashes_are_an_error(stored: str) -> None:
    with pytest.raises(EncodingError):
        password_hash.verify_password("1", stored)


def test_salts_have_sixteen_bytes() -> None:
    with pytest.raises(EncodingError):
        password_hash.hash_password("1", salt=bytes(8))


def test_record_key_check_value() -> None:
    assert record_encryption.derive_record_key(MASTER_KEY, PARTS).hex() == "1f7a44532aae715e16084b2bc6b351c8"


@settings(max_examples=60, deadline=None)
@given(
    master_key=st.none() | key16,
    parts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=4),
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    kind=st.sampled_from(ValueKind),
)
def test_a_record_round_trips(master_key: bytes | None, parts: list[str], text: str, kind: ValueKind) -> None:
    plaintext = text.encode()
    mode, stored = record_encryption.encrypt_record(master_key, parts, plaintext, kind)
    assert (mode is EncryptionMode.AES_HMAC) == bool(master_key)
    assert record_encryption.decrypt_record(master_key, int(mode), parts, stored, kind) == plaintext


def test_a_record_is_encrypted_differently_each_time_and_bound_to_its_row() -> None:
    secret = bytes(range(32))
    mode, stored = record_encryption.encrypt_record(MASTER_KEY, PARTS, secret)
    assert stored != record_encryption.encrypt_record(MASTER_KEY, PARTS, secret)[1]
    for number in range(40):
        try:
            other = record_encryption.decrypt_record(MASTER_KEY, mode, [*PARTS, str(number)], stored)
        except RecordDecryptionFailed:
            continue
        assert other != secret


def test_record_errors_tell_their_cause() -> None:
    mode, stored = record_encryption.encrypt_record(MASTER_KEY, PARTS, b"secret")
    causes: list[tuple[bytes | None, int | None, str, type[Exception]]] = [
        (None, mode, stored, RecordKeyMissing),
        (b"", mode, stored, RecordKeyMissing),
        (MASTER_KEY, None, stored, RecordModeUnknown),
        (MASTER_KEY, 2, stored, RecordModeUnknown),
        (MASTER_KEY, mode, b64encode(bytes(15)), RecordTooShort),
        (MASTER_KEY, mode, b64encode(b64decode(stored)[:16]), RecordDecryptionFailed),
        (MASTER_KEY, mode, b64encode(b64decode(stored)[:-1]), RecordDecryptionFailed),
        (MASTER_KEY, mode, "!", EncodingError),
        (MASTER_KEY[:15], mode, stored, KeyFormatError),
    ]
    for master_key, used_mode, text, error in causes:
        with pytest.raises(error):
            record_encryption.decrypt_record(master_key, used_mode, PARTS, text)
    for name in (None, "", "AEAD_KMAC", "aes_hmac"):
        with pytest.raises(RecordModeUnknown):
            EncryptionMode.from_name(name)
    with pytest.raises(EncodingError):
        record_encryption.encrypt_record(None, PARTS, b"\xff", ValueKind.TEXT)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=8), min_size=1, max_size=4), st.integers(4, 9))
def test_a_data_digest_is_reproducible(items: list[str], digits: int) -> None:
    try:
        made = generate_data_digest(items, digits)
    except EncodingError:
        assert any("\ud800" <= character <= "\udfff" for item in items for character in item)
        return
    assert made is not None
    digest, key = made
    assert len(digest) == digits
    assert data_digest(items, key, digits) == digest


def test_data_digest_parameters_are_checked() -> None:
    assert generate_data_digest([]) is None
    for items, key, digits in (
        ([], bytes(16), 8),
        (["a"], bytes(15), 8),
        (["a"], bytes(16), 3),
        (["a"], bytes(16), 10),
    ):
        with pytest.raises(EncodingError):
            data_digest(items, key, digits)


CONFIG = MobileSdkConfig(
    bytes(range(16)), bytes(range(16, 32)), export_public_key(generate_key_pair().public)
)


def test_the_sdk_configuration_has_the_documented_bytes() -> None:
    raw = b64decode(CONFIG.build())
    expected = b"\x01\x10" + CONFIG.application_key + b"\x10" + CONFIG.application_secret
    assert raw == expected + b"\x01\x01\x41" + CONFIG.master_public_key


@settings(max_examples=30, deadline=None)
@given(key16, key16, st.binary(min_size=1, max_size=300) | st.just(bytes(20000)))
def test_an_sdk_configuration_round_trips(key: bytes, secret: bytes, public: bytes) -> None:
    config = MobileSdkConfig(key, secret, public)
    assert MobileSdkConfig.parse(config.build()) == config


def test_keys_of_unknown_kinds_are_passed_over() -> None:
    raw = bytearray(b64decode(CONFIG.build()))
    raw[35] = 2
    raw[36:36] = b"\x09\x03abc"
    assert MobileSdkConfig.parse(b64encode(bytes(raw))) == CONFIG


def test_every_shortened_or_extended_sdk_configuration_is_refused() -> None:
    raw = b64decode(CONFIG.build())
    for broken in [raw[:length] for length in range(len(raw))] + [raw + b"\0", b"\x02" + raw[1:]]:
        with pytest.raises(EncodingError):
            MobileSdkConfig.parse(b64encode(broken))


def test_incomplete_sdk_configurations_are_not_built() -> None:
    for key, secret, public in (
        (b"", bytes(16), b"x"),
        (bytes(16), bytes(15), b"x"),
        (bytes(16), bytes(16), b""),
    ):
        with pytest.raises(EncodingError):
            MobileSdkConfig(key, secret, public).build()
    assert repr(CONFIG.application_secret) not in repr(CONFIG)
