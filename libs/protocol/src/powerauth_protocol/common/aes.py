"""AES-128-CBC as the protocol uses it (spec/protocol-v3.md §1.3)."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from powerauth_protocol.common.errors import DecryptionError, EncodingError, KeyFormatError

_PADDING = PKCS7(128)
_BLOCK = 16


def encrypt_cbc(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """Encrypt with PKCS#7 padding, which always adds 1 to 16 bytes.

    :raises KeyFormatError: the key is not 16 bytes
    :raises EncodingError: the initialisation vector is not 16 bytes
    """
    pad = _BLOCK - len(plaintext) % _BLOCK
    return encrypt_cbc_unpadded(key, iv, plaintext + bytes([pad]) * pad)


def decrypt_cbc(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """Decrypt and strip PKCS#7 padding.

    :raises DecryptionError: wrong length or padding
    :raises KeyFormatError: the key is not 16 bytes
    :raises EncodingError: the initialisation vector is not 16 bytes
    """
    if not ciphertext or len(ciphertext) % _BLOCK:
        raise DecryptionError
    padded = decrypt_cbc_unpadded(key, iv, ciphertext)
    unpadder = _PADDING.unpadder()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise DecryptionError from None


def encrypt_cbc_unpadded(key: bytes, iv: bytes, blocks: bytes) -> bytes:
    """Encrypt whole blocks without padding.

    :raises KeyFormatError: the key is not 16 bytes
    :raises EncodingError: the vector is not 16 bytes, or no whole blocks
    """
    _check(key, iv, blocks)
    return Cipher(algorithms.AES128(key), modes.CBC(iv)).encryptor().update(blocks)


def decrypt_cbc_unpadded(key: bytes, iv: bytes, blocks: bytes) -> bytes:
    """Decrypt whole blocks without padding.

    :raises KeyFormatError: the key is not 16 bytes
    :raises EncodingError: the vector is not 16 bytes, or no whole blocks
    """
    _check(key, iv, blocks)
    return Cipher(algorithms.AES128(key), modes.CBC(iv)).decryptor().update(blocks)


def _check(key: bytes, iv: bytes, blocks: bytes) -> None:
    if len(key) != _BLOCK:
        raise KeyFormatError("expected a 16-byte key")
    if len(iv) != _BLOCK:
        raise EncodingError("expected a 16-byte initialisation vector")
    if len(blocks) % _BLOCK:
        raise EncodingError("expected whole blocks")
