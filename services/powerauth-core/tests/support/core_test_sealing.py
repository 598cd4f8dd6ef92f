"""Records at rest the way the original seals them: by spec/core-api.md §24, without production code."""

import base64
import hashlib
import hmac
import os

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def record_key(master_key: bytes, *parts: object) -> bytes:
    """The key of one record."""
    digest = hmac.new(master_key, "&".join(str(part) for part in parts).encode(), hashlib.sha256).digest()
    return bytes(left ^ right for left, right in zip(digest[:16], digest[16:], strict=True))


def seal(master_key: bytes, plain: bytes, *parts: object, iv: bytes | None = None) -> str:
    """The stored text of an encrypted record."""
    used = os.urandom(16) if iv is None else iv
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(record_key(master_key, *parts)), modes.CBC(used)).encryptor()
    body = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    return base64.b64encode(used + body).decode()
