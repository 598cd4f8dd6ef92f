"""HTTP Basic (spec/cloud-api.md §1.3, D28)."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from cloud_private_api.access.rules import Caller
from cloud_private_api.accounts.directory import UserDirectory, UserFacts
from cloud_private_api.audit_log.logins import FailedLogins
from cloud_private_api.auth.limits import FailureLimit
from cloud_private_api.auth.login import Login
from cloud_private_api.errors import REALM, TooManyRequests, Unauthorized
from cloud_private_api.passwords import PasswordWorker, needs_upgrade
from servicekit import metrics
from servicekit.caching import Cache
from servicekit.callers import parse_basic
from servicekit.errors import Unavailable
from servicekit.logs import get_logger
from servicekit.workers import Overloaded

REMEMBERED_PASSWORDS = 10_000

_passwords = metrics.counter(
    "powerauth_cloud_passwords",
    "Passwords that a hash was spent on, and attempts that came too often for one",
    {"outcome": ("accepted", "refused", "limited")},
)

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What one client says of itself.

    :ivar digest: of name and password under a key of this process
    """

    username: str
    network: str
    digest: bytes
    password: str = field(repr=False)


@dataclass(slots=True)
class _Verification:
    """A hash that is waited for or computed, for all who came with the same credentials meanwhile."""

    task: asyncio.Task[UserFacts | None] = field(init=False)
    clients: int = 0
    started: bool = False

    def start(self) -> None:
        """The hash no longer waits: it will be finished, and counts."""
        self.started = True


class BasicAuthenticator:
    """Checks user names and passwords; remembers for a while which it has verified.

    What is remembered is a digest of name and password under a key of this process, with all that was known
    about the user: any change of the user makes it worthless, also one that another replica made. Who is
    remembered needs neither hash nor queue and is subject to no limit; all others are limited before a hash
    is spent on them.
    """

    challenge = f'Basic realm="{REALM}"'

    def __init__(
        self,
        directory: UserDirectory,
        failures: FailedLogins,
        worker: PasswordWorker,
        *,
        remember_seconds: float,
        per_address: FailureLimit,
        per_name_and_address: FailureLimit,
    ) -> None:
        self._directory = directory
        self._failures = failures
        self._worker = worker
        self._per_address = per_address
        self._per_name_and_address = per_name_and_address
        self._key = secrets.token_bytes(32)
        self._verified: Cache[bytes, UserFacts] = Cache(REMEMBERED_PASSWORDS, remember_seconds)
        self._running: dict[tuple[bytes, str], _Verification] = {}

    async def authenticate(self, login: Login) -> Caller:
        """The caller behind an ``Authorization`` header. A hash that waits is dropped with its last client.

        :raises Unauthorized: no credentials, unknown or disabled user, wrong password: all alike
        :raises TooManyRequests: too many wrong passwords from there, or too many hashes wait
        """
        credentials = parse_basic(login.authorization)
        if credentials is None:
            raise Unauthorized
        username, password = credentials
        digest = self._digest(username, password)
        facts = await self._remembered(username, digest)
        if facts is None:
            attempt = _Attempt(username, login.locate(), digest, password)
            facts = await login.while_connected(self._join(attempt))
        if facts is None:
            raise Unauthorized
        return facts.caller

    async def close(self) -> None:
        """Finish what is being written."""
        await self._failures.settled()

    def _digest(self, username: str, password: str) -> bytes:
        name = username.encode()
        message = len(name).to_bytes(4, "big") + name + password.encode()
        return hashlib.blake2b(message, key=self._key).digest()

    async def _remembered(self, username: str, digest: bytes) -> UserFacts | None:
        """What is known of the user, if these credentials were verified and nothing has changed since."""
        known = self._verified.get(digest)
        if known is None or await self._directory.find(username) == known:
            return known
        self._verified.drop(digest)
        return None

    async def _join(self, attempt: _Attempt) -> UserFacts | None:
        """Wait for the one verification of these credentials; the last who leaves takes it from the queue."""
        key = (attempt.digest, attempt.network)
        verification = self._running.get(key)
        if verification is None:
            verification = self._running[key] = self._begin(attempt)
            verification.task.add_done_callback(partial(self._done, key))
        verification.clients += 1
        try:
            return await asyncio.shield(verification.task)
        except Overloaded as error:
            raise TooManyRequests(retry_after=error.retry_after) from None
        finally:
            verification.clients -= 1
            waits = not verification.started and not verification.task.done()
            if waits and not verification.clients:
                del self._running[key]
                verification.task.cancel()

    def _done(self, key: tuple[bytes, str], task: asyncio.Task[UserFacts | None]) -> None:
        if key in self._running and self._running[key].task is task:
            del self._running[key]

    def _begin(self, attempt: _Attempt) -> _Verification:
        """Start a verification within the limits; a hash that was spent on a wrong password counts.

        :raises TooManyRequests: too many wrong passwords from there
        """
        limits = (
            (self._per_address, attempt.network),
            (self._per_name_and_address, f"{attempt.network} {attempt.username}"),
        )
        try:
            for limit, key in limits:
                limit.check(key)
        except TooManyRequests:
            _passwords.labels("limited").inc()
            raise
        verification = _Verification()

        def settle(task: asyncio.Task[UserFacts | None]) -> None:
            known = not task.cancelled() and task.exception() is None and task.result() is not None
            if verification.started:
                _passwords.labels("accepted" if known else "refused").inc()
            for limit, key in limits:
                limit.end(key, failed=verification.started and not known)

        for limit, key in limits:
            limit.start(key)
        verification.task = asyncio.create_task(self._verify(attempt, verification.start))
        verification.task.add_done_callback(settle)
        return verification

    async def _verify(self, attempt: _Attempt, on_start: Callable[[], None]) -> UserFacts | None:
        # Read anew for every name: what is remembered would tell by its speed who exists.
        facts = await self._directory.read(attempt.username)
        stored = facts.password_hash if facts else None
        verified = await self._worker.verify(attempt.username, stored, attempt.password, on_start=on_start)
        # Also for those who cannot get in: an early answer would tell who exists.
        if facts is None or not facts.enabled or not verified:
            self._failures.record(attempt.username if facts else None)
            return None
        if needs_upgrade(facts.password_hash):
            facts = await self._upgraded(facts, attempt.password)
        self._verified.put(attempt.digest, facts)
        return facts

    async def _upgraded(self, facts: UserFacts, password: str) -> UserFacts:
        try:
            new_hash = await self._worker.hash(password)
            return await self._directory.replace_hash(facts, new_hash)
        except Unavailable:
            _log.warning("old password hash could not be replaced now", username=facts.username)
            return facts
