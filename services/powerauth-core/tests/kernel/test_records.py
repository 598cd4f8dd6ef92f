"""Encryption at rest (spec/core-api.md §24, D13)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from contextlib import suppress

import pytest

from powerauth_core.kernel.errors import InvalidKeyFormat, MasterDbKeyMissing, UnsupportedEncryptionMode
from powerauth_core.kernel.records import (
    RecordCipher,
    application_secret_parts,
    integration_secret_parts,
    master_key_parts,
    postcard_key_parts,
    recovery_puk_parts,
    server_private_key_parts,
    temporary_key_parts,
    token_secret_parts,
)
from powerauth_protocol.common.record_encryption import EncryptionMode
from servicekit.master_keys import MasterKeys, key_id

KEY = b"1234567890123456"
PARTS = ("a", "b")


def test_what_was_encrypted_comes_back_only_for_its_row() -> None:
    cipher = RecordCipher(MasterKeys(KEY))
    mode, stored = cipher.encrypt(PARTS, b"secret")
    assert mode == 1
    assert b"secret" not in b64decode(stored)
    assert cipher.decrypt(mode, PARTS, stored) == b"secret"
    with suppress(InvalidKeyFormat):  # but for one in 256, whose padding fits by chance
        assert cipher.decrypt(mode, ("a", "c"), stored) != b"secret"


def test_what_decrypts_to_no_text_is_damaged() -> None:
    cipher = RecordCipher(MasterKeys(KEY))
    mode, stored = cipher.encrypt(PARTS, b"\xff")
    with pytest.raises(InvalidKeyFormat):
        cipher.decrypt_text(mode, PARTS, stored)


def test_two_encryptions_differ() -> None:
    cipher = RecordCipher(MasterKeys(KEY))
    assert cipher.encrypt(PARTS, b"secret") != cipher.encrypt(PARTS, b"secret")


def test_without_a_key_bytes_are_base64_and_texts_themselves() -> None:
    cipher = RecordCipher(MasterKeys(None))
    assert not cipher.encrypts
    assert cipher.encrypt(PARTS, b"secret") == (0, b64encode(b"secret").decode())
    assert cipher.encrypt_text(PARTS, "žluť") == (EncryptionMode.NO_ENCRYPTION, "žluť")


def test_clear_records_are_read_whether_or_not_there_is_a_key() -> None:
    for cipher in (RecordCipher(MasterKeys(None)), RecordCipher(MasterKeys(KEY))):
        assert cipher.decrypt(0, PARTS, "c2VjcmV0") == b"secret"
        assert cipher.decrypt_text("NO_ENCRYPTION", PARTS, "text") == "text"


def test_text_modes_are_accepted_as_number_and_as_name() -> None:
    cipher = RecordCipher(MasterKeys(KEY))
    mode, stored = cipher.encrypt_text(PARTS, "žluť")
    assert mode is EncryptionMode.AES_HMAC
    for form in (mode.value, mode.name):
        assert cipher.decrypt_text(form, PARTS, stored) == "žluť"


@pytest.mark.parametrize("mode", [None, 2, -1])
def test_unknown_modes_are_refused(mode: int | None) -> None:
    with pytest.raises(UnsupportedEncryptionMode):
        RecordCipher(MasterKeys(KEY)).decrypt(mode, PARTS, "c2VjcmV0")


@pytest.mark.parametrize("mode", [None, "", "AEAD_KMAC", "aes_hmac"])
def test_unknown_mode_names_are_refused(mode: str | None) -> None:
    with pytest.raises(UnsupportedEncryptionMode):
        RecordCipher(MasterKeys(KEY)).decrypt_text(mode, PARTS, "c2VjcmV0")


def test_an_encrypted_record_needs_the_key() -> None:
    mode, stored = RecordCipher(MasterKeys(KEY)).encrypt(PARTS, b"secret")
    with pytest.raises(MasterDbKeyMissing):
        RecordCipher(MasterKeys(None)).decrypt(mode, PARTS, stored)


@pytest.mark.parametrize("stored", ["", "AAAA", "!", b64encode(bytes(17)).decode()])
def test_damaged_records_are_refused(stored: str) -> None:
    with pytest.raises(InvalidKeyFormat):
        RecordCipher(MasterKeys(KEY)).decrypt(1, PARTS, stored)


def test_derivation_parts() -> None:
    assert master_key_parts(1, 2) == ("master", "1", "2")
    assert application_secret_parts("key") == ("app-version", "key")
    assert token_secret_parts("t", "a") == ("token", "t", "a")
    assert integration_secret_parts("i") == ("integration", "i")
    assert server_private_key_parts("u", "a") == ("u", "a")
    assert temporary_key_parts("k", "app", None) == ("k", "app")
    assert temporary_key_parts("k", "app", "a") == ("k", "app", "a")
    assert recovery_puk_parts(1, "u", "code", 3) == ("1", "u", "code", "3")
    assert postcard_key_parts(7) == ("7",)


def test_values_of_a_later_key_name_it_and_are_opened_by_it_alone() -> None:
    old, new = KEY, bytes(range(16))
    first = RecordCipher(MasterKeys(old))
    both = RecordCipher(MasterKeys(new, [old], unnamed=key_id(old)))
    for mode, stored in (first.encrypt(PARTS, b"old"), both.encrypt(PARTS, b"new")):
        assert both.decrypt(mode, PARTS, stored) in (b"old", b"new")
    mode, stored = both.encrypt(PARTS, b"new")
    assert stored.startswith(f"{key_id(new)}:")
    for lacking in (first, RecordCipher(MasterKeys(new, [old], unnamed=None))):
        with pytest.raises(MasterDbKeyMissing):
            lacking.decrypt(mode, PARTS, stored if lacking is first else first.encrypt(PARTS, b"old")[1])
