"""The issuer's public keys: found by discovery or at a configured address, refreshed now and then."""

from __future__ import annotations

import asyncio
import time
from contextvars import Context

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from servicekit.errors import Unavailable
from servicekit.logs import get_logger

REFRESH_SECONDS = 300.0
SECONDS_BETWEEN_UNKNOWN = 60.0
SECONDS_BETWEEN_FAILURES = 1.0
MAX_DOCUMENT = 1_048_576
_DISCOVERY = "/.well-known/openid-configuration"
_KEY_TYPES: dict[str, type[RSAKey] | type[ECKey]] = {"RSA": RSAKey, "EC": ECKey}

_log = get_logger(__name__)


class KeysUnavailable(Unavailable):
    """The issuer's keys are not known and cannot be fetched now."""


class _Discovery(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    issuer: str
    jwks_uri: str


class _JwkSet(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    keys: list[dict[str, object]] = Field(max_length=100)


class KeySource:
    """Keys of one issuer. Old keys go on being used while new ones cannot be fetched."""

    def __init__(
        self, issuer_uri: str, jwk_set_uri: str, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._issuer = issuer_uri
        self._jwk_set_uri = jwk_set_uri
        self._http = httpx2.AsyncClient(timeout=5.0, follow_redirects=False, transport=transport)
        self._lock = asyncio.Lock()
        self._keys: KeySet | None = None
        self._fetched: float | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def current(self) -> KeySet:
        """The keys. Once they are five minutes old they are fetched again beside the requests.

        :raises KeysUnavailable: there never were any
        """
        if self._keys is None:
            return await self._newer_than(SECONDS_BETWEEN_FAILURES)
        if self._older_than(REFRESH_SECONDS) and (self._refreshing is None or self._refreshing.done()):
            # For all requests, and of none.
            self._refreshing = asyncio.create_task(self._refresh(), context=Context())
        return self._keys

    async def after_unknown(self) -> KeySet:
        """The keys after a token named an unknown one; fetched at most once a minute.

        :raises KeysUnavailable: there never were any
        """
        return await self._newer_than(SECONDS_BETWEEN_UNKNOWN)

    async def close(self) -> None:
        """Close the connections."""
        if self._refreshing is not None:
            self._refreshing.cancel()
        await self._http.aclose()

    async def _newer_than(self, seconds: float) -> KeySet:
        async with self._lock:
            if self._older_than(seconds):
                await self._refresh()
            if self._keys is None:
                raise KeysUnavailable("no keys of the token issuer")
            return self._keys

    def _older_than(self, seconds: float) -> bool:
        return self._fetched is None or time.monotonic() - self._fetched >= seconds

    async def _refresh(self) -> None:
        try:
            keys = await self._fetch()
        except (httpx2.HTTPError, ValidationError, JoseError, ValueError) as error:
            _log.warning("keys of the token issuer not fetched", reason=type(error).__name__)
            return
        finally:
            self._fetched = time.monotonic()
        self._keys = keys

    async def _fetch(self) -> KeySet:
        address = self._jwk_set_uri
        if not address:
            found = _Discovery.model_validate_json(await self._get(self._issuer.rstrip("/") + _DISCOVERY))
            if found.issuer != self._issuer:
                raise ValueError("discovery document of another issuer")
            address = found.jwks_uri
        document = _JwkSet.model_validate_json(await self._get(address))
        keys = [
            _KEY_TYPES[str(key["kty"])].import_key(_texts(key))
            for key in document.keys
            if key.get("kty") in _KEY_TYPES and key.get("use") in (None, "sig")
        ]
        if not keys:
            raise ValueError("no usable key")
        return KeySet(list(keys))

    async def _get(self, address: str) -> bytes:
        async with self._http.stream("GET", address, headers={"Accept": "application/json"}) as response:
            if response.status_code != 200:
                raise ValueError("unexpected status")
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_DOCUMENT:
                    raise ValueError("document too large")
            return body


def _texts(key: dict[str, object]) -> dict[str, str | list[str]]:
    """The members of a key that joserfc reads."""
    return {
        name: value if isinstance(value, str) else [str(item) for item in value]
        for name, value in key.items()
        if isinstance(value, str | list)
    }
