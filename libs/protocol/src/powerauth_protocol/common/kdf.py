"""Key derivation functions (spec/protocol-v3.md §1.2 to §1.4)."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from powerauth_protocol.common.errors import EncodingError, KeyFormatError

ZERO_IV = bytes(16)
PBKDF2_ITERATIONS = 10_000

_ECB = modes.ECB()  # noqa: S305 - single blocks only, as the protocol defines its KDF
_BLOCK = 16


def fold(data: bytes) -> bytes:
    """Reduce 32 bytes to 16 by XOR of the halves (spec/protocol-v3.md §1.2).

    :raises EncodingError: not 32 bytes
    """
    if len(data) != 32:
        raise EncodingError("expected 32 bytes")
    return (int.from_bytes(data[:16], "big") ^ int.from_bytes(data[16:], "big")).to_bytes(16, "big")


def kdf(key: bytes, index: int) -> bytes:
    """Derive a 16-byte key: AES of the index in the last 8 bytes of one block.

    :param index: 64-bit number, signed or unsigned
    :raises KeyFormatError: the key is not 16 bytes
    """
    return encrypt_blocks(key, index_block(index))


def kdf_many(key: bytes, indexes: tuple[int, ...]) -> tuple[bytes, ...]:
    """`kdf` for several indexes with one key schedule."""
    blocks = encrypt_blocks(key, b"".join([index_block(index) for index in indexes]))
    return tuple(blocks[start : start + _BLOCK] for start in range(0, len(blocks), _BLOCK))


def kdf_bytes(key: bytes, index: bytes) -> bytes:
    """Derive a 16-byte key from index bytes of any length: the first block of AES-CBC with PKCS#7 padding.

    :raises KeyFormatError: the key is not 16 bytes
    """
    pad = _BLOCK - len(index) % _BLOCK
    # The first CBC block under a zero IV is the first block encrypted alone.
    return encrypt_blocks(key, (index + bytes([pad]) * pad)[:_BLOCK])


def kdf_internal(key: bytes, index: bytes) -> bytes:
    """Derive a 16-byte key by folding HMAC-SHA256; `key` is the HMAC key, `index` the message."""
    digest = hmac.digest(key, index, "sha256")
    return (int.from_bytes(digest[:16], "big") ^ int.from_bytes(digest[16:], "big")).to_bytes(16, "big")


def x963(secret: bytes, info: bytes | None, length: int) -> bytes:
    """X9.63 key derivation with SHA-256.

    :param length: wanted bytes, 0 or more
    :raises EncodingError: negative length
    """
    if length < 0:
        raise EncodingError("negative length")
    shared_info = info or b""
    blocks = -(-length // 32)
    return b"".join(
        [
            hashlib.sha256(secret + counter.to_bytes(4, "big") + shared_info).digest()
            for counter in range(1, blocks + 1)
        ]
    )[:length]


def pbkdf2(password: str, salt: bytes, iterations: int = PBKDF2_ITERATIONS) -> bytes:
    """Derive the 16-byte key that protects the knowledge factor key on the device.

    :raises EncodingError: fewer than one iteration, or a password that is not Unicode
    """
    if iterations < 1:
        raise EncodingError("iterations must be positive")
    try:
        secret = password.encode("utf-8")
    except UnicodeEncodeError:
        raise EncodingError("text is not Unicode") from None
    return hashlib.pbkdf2_hmac("sha1", secret, salt, iterations, 16)


def index_block(index: int) -> bytes:
    """Return the 16-byte block of a derivation index.

    :raises EncodingError: the index does not fit 64 bits
    """
    if not -(1 << 63) <= index < 1 << 64:
        raise EncodingError("derivation index out of range")
    return (index & 0xFFFFFFFFFFFFFFFF).to_bytes(16, "big")


def encrypt_blocks(key: bytes, blocks: bytes) -> bytes:
    """Encrypt whole 16-byte blocks one by one with AES-128.

    :raises KeyFormatError: the key is not 16 bytes
    """
    if len(key) != 16:
        raise KeyFormatError("expected a 16-byte key")
    return Cipher(algorithms.AES128(key), _ECB).encryptor().update(blocks)
