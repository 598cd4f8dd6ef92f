"""Tokens by which a provider knows us: one renewal at a time, whoever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from powerauth_push.providers.outcomes import Outcome, Verdict
from servicekit import clock

RENEW_AFTER_MS = 45 * 60 * 1000
"""Apple refuses a token after 60 minutes."""
KEEP_MS = 20 * 60 * 1000
"""Apple refuses a new one sooner than that."""
_GOOGLE_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_ASSERTION_SECONDS = 3600
_MARGIN_MS = 120_000
_MARGIN_SHARE = 0.25
"""Of a token's life: a short one is not renewed for every message."""
SHORTEST_LIFE_SECONDS = 60
"""A token endpoint that hands out shorter lives is not asked more often."""


class ApnsTokens:
    """The provider token of one key, for all connections and applications (spec/push-api.md §10.2)."""

    def __init__(self, team_id: str, key_id: str, key: ec.EllipticCurvePrivateKey) -> None:
        self._team_id = team_id
        self._key_id = key_id
        self._key = key
        self._token = b""
        self._made_ms = 0

    def current(self) -> bytes:
        """The value of `authorization`; a new one when the last is 45 minutes old, or is from the future."""
        if not 0 <= self._age_ms() < RENEW_AFTER_MS or not self._token:
            self._make()
        return self._token

    def refused(self, token: bytes) -> bool:
        """Apple says that a token has expired: make a new one unless it would be one too many.

        :return: whether there is another token now
        """
        if token == self._token and (not 0 <= self._age_ms() < KEEP_MS):
            self._make()
        return token != self._token

    def _age_ms(self) -> int:
        return clock.now_ms() - self._made_ms

    def _make(self) -> None:
        self._made_ms = clock.now_ms()
        header = {"alg": "ES256", "kid": self._key_id}
        claims = {"iss": self._team_id, "iat": self._made_ms // 1000}
        self._token = b"bearer " + _signed(header, claims, self._key).encode()


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a token endpoint handed out.

    :ivar value: of `Authorization`
    :ivar good_until_ms: since the epoch
    :ivar renew_at_ms: since the epoch
    """

    value: str = field(repr=False)
    good_until_ms: int
    renew_at_ms: int

    @classmethod
    def lasting(cls, token: str, seconds: float) -> AccessToken:
        """A bearer token that was handed out now."""
        life = round(max(seconds, SHORTEST_LIFE_SECONDS) * 1000)
        end = clock.now_ms() + life
        return cls(f"Bearer {token}", end, end - min(_MARGIN_MS, round(life * _MARGIN_SHARE)))


class NoToken(Exception):
    """There is no access token, and this is what it means for the message."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


class RenewedToken:
    """An access token that is fetched anew before it ends, by one request however many wait for it."""

    def __init__(self, fetch: Callable[[], Awaitable[AccessToken]]) -> None:
        self._fetch = fetch
        self._token: AccessToken | None = None
        self._renewal: asyncio.Task[AccessToken] | None = None

    async def current(self) -> AccessToken:
        """The token to use now. Whoever waits may be cancelled without disturbing the others.

        :raises NoToken: the renewal was given up
        :raises Exception: what `fetch` raises, for all who waited for it
        """
        token = self._token
        if token is not None and clock.now_ms() < token.renew_at_ms:
            return token
        if self._renewal is None:
            # For all messages, and of none.
            self._renewal = asyncio.create_task(self._renew(), name="renew access token", context=Context())
            self._renewal.add_done_callback(_heard)
        renewal = self._renewal
        await asyncio.wait([renewal])  # which a waiter's end leaves alone
        if renewal.cancelled():
            raise NoToken(Outcome(Verdict.LATER, "token renewal given up"))
        return renewal.result()

    def refused(self, token: AccessToken) -> None:
        """The provider does not take a token: the next call fetches another."""
        if token is self._token:
            self._token = None

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Let a renewal that is under way end in time."""
        renewal = self._renewal
        if renewal is not None:
            await asyncio.wait([renewal], timeout=grace_seconds)
            renewal.cancel()
            await asyncio.wait([renewal])

    async def _renew(self) -> AccessToken:
        try:
            self._token = await self._fetch()
        except Exception:
            # Asked for early, so the last one may still do.
            if self._token is None or clock.now_ms() >= self._token.good_until_ms:
                raise
        finally:
            self._renewal = None
        return self._token


def _heard(renewal: asyncio.Task[AccessToken]) -> None:
    """Whoever waited for it may be gone."""
    if not renewal.cancelled():
        renewal.exception()


def google_assertion(account: str, key_id: str, key: rsa.RSAPrivateKey, audience: str) -> str:
    """What a service account shows for an access token (spec/push-api.md §11.1)."""
    now = clock.now_ms() // 1000
    claims = {
        "iss": account,
        "scope": _GOOGLE_SCOPE,
        "aud": audience,
        "iat": now,
        "exp": now + _ASSERTION_SECONDS,
    }
    header = {"alg": "RS256", "kid": key_id}
    return _signed(header, claims, key)


def _signed(
    header: dict[str, Any], claims: dict[str, Any], key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
) -> str:
    """A token by the algorithm that its header names."""
    from joserfc import jwt  # noqa: PLC0415 - heavy, for the first message to such a provider
    from joserfc.jwk import ECKey, RSAKey  # noqa: PLC0415

    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    kind = RSAKey if isinstance(key, rsa.RSAPrivateKey) else ECKey
    return jwt.encode(header, claims, kind.import_key(pem), algorithms=[header["alg"]])
