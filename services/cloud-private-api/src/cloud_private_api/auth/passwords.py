"""Password hashes: argon2id, older bcrypt and SHA-256 ones for compatibility (spec/cloud-api.md §1.3 item 3).

Hashing costs tens of milliseconds and runs in a small pool of threads: the event loop stays free, and a
flood of log-ins cannot take all memory.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
from concurrent.futures import ThreadPoolExecutor

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

PASSWORD_BYTES = 18
HASHING_THREADS = 2
BCRYPT_MAX_BYTES = 72

_BCRYPT = re.compile(r"\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_PREFIX = re.compile(r"\{(?:bcrypt|SHA-256|argon2)\}")

_hasher = PasswordHasher()


def generate_password() -> str:
    """A new password: 18 random bytes as 24 Base64 characters."""
    return base64.b64encode(secrets.token_bytes(PASSWORD_BYTES)).decode("ascii")


def hash_now(password: str) -> str:
    """The argon2id hash of a password. Blocks for tens of milliseconds."""
    return _hasher.hash(password)


def verify_now(stored: str, password: str) -> bool:
    """Whether the password belongs to the stored hash, whatever its form. Blocks like `hash_now`."""
    text = _PREFIX.sub("", stored, count=1)
    if text.startswith("$argon2"):
        try:
            return _hasher.verify(text, password)
        except (VerificationError, InvalidHashError):
            return False
    if _BCRYPT.fullmatch(text):
        # The original cuts longer passwords; this library refuses them.
        return bcrypt.checkpw(password.encode()[:BCRYPT_MAX_BYTES], text.encode("ascii"))
    if _SHA256.fullmatch(text):
        digest = hashlib.sha256(password.encode()).hexdigest()
        return hmac.compare_digest(digest, text.lower())
    return False


def is_hash(text: str) -> bool:
    """Whether the text is a hash in one of the readable forms."""
    bare = _PREFIX.sub("", text, count=1)
    return bool(bare.startswith("$argon2") or _BCRYPT.fullmatch(bare) or _SHA256.fullmatch(bare))


def needs_upgrade(stored: str) -> bool:
    """Whether a stored hash is of an older form, or weaker than new ones."""
    return not stored.startswith("$argon2id$") or _hasher.check_needs_rehash(stored)


class PasswordWorker:
    """Hashes and verifies off the event loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="password")
        self._dummy = hash_now(generate_password())

    async def hash(self, password: str) -> str:
        """The argon2id hash of a password."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, hash_now, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password is right. Without a stored hash the same work is done and the answer is no.

        A failed comparison with a cheap old hash costs as much as one with a new hash, so that time does not
        tell who has which.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._verify, stored, password)

    def _verify(self, stored: str | None, password: str) -> bool:
        if stored is not None and verify_now(stored, password):
            return True
        if stored is None or not stored.startswith("$argon2"):
            verify_now(self._dummy, password)
        return False

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
