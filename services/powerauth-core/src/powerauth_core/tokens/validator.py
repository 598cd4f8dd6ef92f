"""Checks token headers: concurrent ones share a transaction, as signatures do (D9, D10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.kernel.errors import CoreError, InvalidRequest
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithRowMacs, WithSettings
from powerauth_core.replay import service as replay
from powerauth_core.tokens import postgresql, repository
from powerauth_core.tokens.checks import UNKNOWN, TokenCheck, Verdict, may_be_used, replayed
from powerauth_core.tokens.secrets import StoredSecret, TokenSecrets
from servicekit import metrics
from servicekit.batching import MicroBatcher, Settled, none_twice
from servicekit.row_macs import RowKeyUnknown

_checks = metrics.counter(
    "powerauth_token_checks",
    "Checks of token headers by outcome; `refused`: spent before, or of a FIDO2 activation",
    {"outcome": ("valid", "invalid", "unknown", "refused")},
)


class Parts(WithDatabase, WithSettings, WithCipher, WithRowMacs, Protocol):
    """What checks of tokens use of a running core."""


class TokenValidator:
    """Front of the batches of one process; every check of a token header goes through `check`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        settings = parts.settings
        self._secrets = TokenSecrets(parts.cipher, settings.token_secret_cache_size)
        on_postgresql = parts.database.dialect == "postgresql"
        self._batcher: MicroBatcher[TokenCheck, Verdict] = MicroBatcher(
            self._by_driver if on_postgresql else self._by_session,
            max_size=settings.verification_batch_size,
            in_flight=settings.verification_batches if on_postgresql else 1,
            # The same header a second time waits for the outcome of the first.
            joining=none_twice(lambda check: check.unique_value),
        )

    async def check(self, check: TokenCheck) -> Verdict:
        """Check a header and remember it, so that it is accepted once; return after the commit.

        Failures never touch the counter of failed attempts.

        :raises InvalidRequest: a FIDO2 activation, or a header accepted before
        :raises CoreError: the stored secret cannot be read, as `RecordCipher.decrypt`
        :raises Unavailable: the database cannot be reached; the header may be spent
        """
        try:
            verdict = await self._batcher.submit(check)
        except InvalidRequest:
            _checks.labels("refused").inc()
            raise
        _checks.labels("valid" if verdict.valid else "unknown" if verdict.token is None else "invalid").inc()
        return verdict

    async def close(self) -> None:
        """Wait for the checks that were accepted."""
        await self._batcher.close()

    async def _by_driver(self, checks: Sequence[TokenCheck]) -> Sequence[Settled[Verdict]]:
        remembers = replay.is_enabled(self._parts.settings)
        async with self._parts.database.driver() as driver:
            return await postgresql.check(
                driver, checks, self._secrets, self._parts.row_macs, remembers=remembers
            )

    async def _by_session(self, checks: Sequence[TokenCheck]) -> Sequence[Settled[Verdict]]:
        async with self._parts.database.transaction() as session:
            return [await self._settle(session, check) for check in checks]

    async def _settle(self, session: AsyncSession, check: TokenCheck) -> Settled[Verdict]:
        try:
            return Settled(await self._check(session, check))
        except (CoreError, RowKeyUnknown) as error:
            # Nothing was written before any of these errors.
            return Settled(error=error)

    async def _check(self, session: AsyncSession, check: TokenCheck) -> Verdict:
        macs = self._parts.row_macs
        found = await repository.find(session, macs, check.token_id, check.application_ids)
        if found is None:
            return UNKNOWN
        if not may_be_used(found):
            return Verdict(found, False)
        stored = StoredSecret(found.token_id, found.activation_id, found.secret, found.secret_encryption)
        if not check.proves(self._secrets.read(stored)):
            return Verdict(found, False)
        if not await replay.remember_token(self._parts.settings, session, check.unique_value, check.expires):
            raise replayed()
        return Verdict(found, True)
