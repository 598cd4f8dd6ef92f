"""Argon2 hashes of one-time passwords and PUKs, beside the event loop and bounded (D28)."""

from __future__ import annotations

from functools import partial

from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.password_hash import hash_password, verify_password
from servicekit.workers import FairThreads

HASHING_THREADS = 2


class PasswordHashes:
    """Hashes in few threads, 32 MiB each. Whoever causes one has a share of the queue.

    A full queue is :class:`servicekit.workers.Overloaded`, answered with 503: nothing was compared, nothing
    counted.
    """

    def __init__(self, waiting: int) -> None:
        """:param waiting: hashes that may wait for a thread"""
        self._threads = FairThreads(HASHING_THREADS, waiting, "password-hash")

    async def hash(self, share: str, text: str) -> str:
        """The Argon2 text of a password.

        :param share: whom the work is for: an activation, a user, a recovery code
        :raises Overloaded: too many hashes wait
        """
        return await self._threads.run(share, partial(hash_password, text))

    async def matches(self, share: str, supplied: str, stored: str) -> bool:
        """Whether a password belongs to an Argon2 text; a damaged text belongs to none.

        :raises Overloaded: too many hashes wait
        """
        return await self._threads.run(share, partial(_matches, supplied, stored))

    def close(self) -> None:
        """Let the threads end."""
        self._threads.close()


def _matches(supplied: str, stored: str) -> bool:
    try:
        return verify_password(supplied, stored)
    except EncodingError:
        return False
