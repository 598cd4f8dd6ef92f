"""Keys of activations: decoded once, never stale, readable however stored (spec/core-api.md §24)."""

from __future__ import annotations

import base64

import pytest

from powerauth_core.activations.keys import ActivationKeyCache, encrypt_server_key
from powerauth_core.activations.models import Activation
from powerauth_core.kernel.errors import InvalidKeyFormat, MasterDbKeyMissing, UnsupportedEncryptionMode
from powerauth_core.kernel.records import RecordCipher
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.keys import (
    KeyPair,
    derive_factor_keys,
    export_private_key,
    export_public_key,
    generate_key_pair,
    master_secret,
)
from servicekit.master_keys import MasterKeys

MASTER_KEY = base64.b64decode("MTIzNDU2Nzg5MDEyMzQ1Ng==")


def _activation(cipher: RecordCipher, server: KeyPair, device: KeyPair | None, number: int = 1) -> Activation:
    activation_id = f"activation-{number}"
    stored = encrypt_server_key(
        cipher, export_private_key(server.private), export_public_key(server.public), "user-1", activation_id
    )
    return Activation(
        activation_id=activation_id,
        user_id="user-1",
        server_private_key_base64=stored.private_key,
        server_private_key_encryption=stored.encryption,
        server_public_key_base64=stored.public_key,
        device_public_key_base64=None if device is None else b64encode(export_public_key(device.public)),
    )


@pytest.mark.parametrize("master_key", [None, MASTER_KEY])
def test_both_sides_have_the_same_keys(master_key: bytes | None) -> None:
    server, device, cipher = generate_key_pair(), generate_key_pair(), RecordCipher(MasterKeys(master_key))
    keys = ActivationKeyCache(cipher, 10).keys_of(_activation(cipher, server, device))
    assert keys.factors == derive_factor_keys(master_secret(device.private, server.public))
    assert keys.server_private.private_numbers() == server.private.private_numbers()
    assert keys.device_public == device.public


def test_records_of_both_kinds_coexist() -> None:
    plain, encrypting = RecordCipher(MasterKeys(None)), RecordCipher(MasterKeys(MASTER_KEY))
    cache = ActivationKeyCache(encrypting, 10)
    for number, cipher in enumerate((plain, encrypting)):
        cache.keys_of(_activation(cipher, generate_key_pair(), generate_key_pair(), number))
    assert len(cache) == 2


def test_keys_are_decoded_once_and_anew_for_another_device() -> None:
    cipher = RecordCipher(MasterKeys(MASTER_KEY))
    cache = ActivationKeyCache(cipher, 10)
    activation = _activation(cipher, generate_key_pair(), generate_key_pair())
    first = cache.keys_of(activation)
    assert cache.keys_of(activation) is first
    activation.device_public_key_base64 = b64encode(export_public_key(generate_key_pair().public))
    assert cache.keys_of(activation).factors != first.factors


def test_the_cache_keeps_what_was_used_last() -> None:
    cipher = RecordCipher(MasterKeys(None))
    cache = ActivationKeyCache(cipher, 2)
    one, two, three = (
        _activation(cipher, generate_key_pair(), generate_key_pair(), number) for number in range(3)
    )
    kept, dropped = cache.keys_of(one), cache.keys_of(two)
    cache.keys_of(one)
    cache.keys_of(three)
    assert len(cache) == 2
    assert cache.keys_of(one) is kept
    assert cache.keys_of(two) is not dropped


def test_before_the_key_exchange_there_is_only_the_server_key() -> None:
    server, cipher = generate_key_pair(), RecordCipher(MasterKeys(MASTER_KEY))
    cache, activation = ActivationKeyCache(cipher, 10), _activation(cipher, server, None)
    assert cache.server_key(activation).private_numbers() == server.private.private_numbers()
    with pytest.raises(InvalidKeyFormat):
        cache.keys_of(activation)


def test_records_that_cannot_be_read_are_told_apart() -> None:
    cipher = RecordCipher(MasterKeys(MASTER_KEY))
    activation = _activation(cipher, generate_key_pair(), generate_key_pair())
    with pytest.raises(MasterDbKeyMissing):
        ActivationKeyCache(RecordCipher(MasterKeys(None)), 1).keys_of(activation)
    cache = ActivationKeyCache(cipher, 1)
    for column, value, error in (
        ("device_public_key_base64", "AAAA", InvalidKeyFormat),
        ("server_private_key_base64", "AAAA", InvalidKeyFormat),
        ("server_private_key_encryption", 7, UnsupportedEncryptionMode),
    ):
        setattr(activation, column, value)
        with pytest.raises(error):
            cache.keys_of(activation)
