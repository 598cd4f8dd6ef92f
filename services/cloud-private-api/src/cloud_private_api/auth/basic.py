"""HTTP Basic (spec/cloud-api.md §1.3)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets

from cloud_private_api.audit.logins import FailedLogins
from cloud_private_api.auth.facts import UserDirectory, UserFacts
from cloud_private_api.auth.passwords import PasswordWorker, needs_upgrade
from cloud_private_api.auth.rules import Caller
from cloud_private_api.caching import ExpiringCache
from cloud_private_api.errors import REALM, Unauthorized
from servicekit.auth import parse_basic
from servicekit.errors import Unavailable
from servicekit.logs import get_logger

REMEMBERED_PASSWORDS = 10_000

_log = get_logger(__name__)


class BasicAuthenticator:
    """Checks user names and passwords; remembers for a while which it has verified.

    What is remembered is keyed by an HMAC over user name, password and stored hash under a key of this
    process: a changed hash is a different key.
    """

    challenge = f'Basic realm="{REALM}"'

    def __init__(
        self,
        directory: UserDirectory,
        failures: FailedLogins,
        worker: PasswordWorker,
        cache_seconds: float,
    ) -> None:
        self._directory = directory
        self._failures = failures
        self._worker = worker
        self._key = secrets.token_bytes(32)
        self._verified: ExpiringCache[bytes, bool] = ExpiringCache(REMEMBERED_PASSWORDS, cache_seconds)
        self._running: dict[bytes, asyncio.Task[bool]] = {}

    async def authenticate(self, authorization: str | None) -> Caller:
        """The caller behind an ``Authorization`` header.

        :raises Unauthorized: no credentials, unknown or disabled user, wrong password: all alike
        """
        credentials = parse_basic(authorization)
        if credentials is None:
            raise Unauthorized
        username, password = credentials
        facts = await self._directory.find(username)
        fingerprint = self._fingerprint(username, password, facts)
        if facts is not None and facts.enabled and self._verified.get(fingerprint):
            return facts.caller
        # Also for those who cannot get in: an early answer would tell who exists.
        if await self._verify_once(fingerprint, facts, password) and facts is not None and facts.enabled:
            self._verified.put(fingerprint, True)
            return facts.caller
        await self._failures.record(username if facts else None)
        raise Unauthorized

    async def close(self) -> None:
        """Nothing to let go of."""

    def _fingerprint(self, username: str, password: str, facts: UserFacts | None) -> bytes:
        parts = (username, password, facts.password_hash if facts else "")
        message = b"".join(
            len(encoded).to_bytes(4, "big") + encoded for encoded in (part.encode() for part in parts)
        )
        return hmac.digest(self._key, message, hashlib.sha256)

    async def _verify_once(self, fingerprint: bytes, facts: UserFacts | None, password: str) -> bool:
        """Callers that come with the same credentials at the same time share one verification."""
        task = self._running.get(fingerprint)
        if task is None:
            task = asyncio.create_task(self._verify(facts, password))
            self._running[fingerprint] = task
            task.add_done_callback(lambda _: self._running.pop(fingerprint, None))
        return await asyncio.shield(task)

    async def _verify(self, facts: UserFacts | None, password: str) -> bool:
        if not await self._worker.verify(facts.password_hash if facts else None, password):
            return False
        if facts is not None and needs_upgrade(facts.password_hash):
            try:
                await self._directory.replace_hash(facts, await self._worker.hash(password))
            except Unavailable:
                _log.warning("old password hash could not be replaced now", username=facts.username)
        return True
