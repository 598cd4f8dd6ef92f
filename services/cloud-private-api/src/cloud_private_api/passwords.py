"""Password hashes: argon2id, older bcrypt and SHA-256 ones for compatibility (spec/cloud-api.md §1.3 item 3).

Hashing costs tens of milliseconds and runs in few threads behind a bounded queue (D28): the event loop stays
free, and a flood of log-ins takes neither all memory nor everybody's time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from functools import partial

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from servicekit.workers import FairThreads

PASSWORD_BYTES = 18
HASHING_THREADS = 2
BCRYPT_MAX_BYTES = 72

_BCRYPT = re.compile(r"\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_PREFIX = re.compile(r"\{(?:bcrypt|SHA-256|argon2)\}")

# No user has this name.
_NEW_PASSWORDS = "\x00"

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


def _nobodys_hash() -> str:
    """What no password has: its digest is random. A comparison with it costs as much as with a new hash."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).decode("ascii").rstrip("=")
        for size in (_hasher.salt_len, _hasher.hash_len)
    )
    cost = f"m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"


class PasswordWorker:
    """Hashes and verifies off the event loop; each user name has its own share of the queue."""

    def __init__(self, waiting: int) -> None:
        """:param waiting: hashes that may wait for a thread"""
        self._threads = FairThreads(HASHING_THREADS, waiting, "password")
        self._dummy = _nobodys_hash()

    async def hash(self, password: str) -> str:
        """The argon2id hash of a password.

        :raises Overloaded: too many hashes wait
        """
        return await self._threads.run(_NEW_PASSWORDS, partial(hash_now, password))

    async def verify(
        self, share: str, stored: str | None, password: str, *, on_start: Callable[[], None] | None = None
    ) -> bool:
        """Whether the password is right. Without a stored hash the same work is done and the answer is no.

        A failed comparison with a cheap old hash costs as much as one with a new hash, so that time does not
        tell who has which.

        :param share: the user name, known or not
        :param on_start: called when the hash is no longer waiting
        :raises Overloaded: too many hashes wait
        """
        return await self._threads.run(share, partial(self._verify, stored, password), on_start=on_start)

    def _verify(self, stored: str | None, password: str) -> bool:
        if stored is not None and verify_now(stored, password):
            return True
        if stored is None or not stored.startswith("$argon2"):
            verify_now(self._dummy, password)
        return False

    def close(self) -> None:
        """Let the threads end."""
        self._threads.close()
