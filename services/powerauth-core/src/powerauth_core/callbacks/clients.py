"""HTTP clients of callbacks: one per callback, with its authentication (spec/core-api.md §18.5, §18.6)."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import httpx2

from powerauth_contracts.callback_authentication import HttpAuthenticationPrivate, OAuth2Authentication
from powerauth_contracts.durations import parse_duration
from powerauth_core.callbacks import repository
from powerauth_core.callbacks.authentication import stored_authentication
from powerauth_core.callbacks.certificates import CertificateUnusable, tls_context
from powerauth_core.callbacks.models import CallbackUrl
from powerauth_core.callbacks.rules import CircuitBreaker, RetryPolicy
from powerauth_core.kernel.egress import Egress, EgressRefused, NoAllowedAddress
from powerauth_core.kernel.errors import CoreError
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.settings import CoreSettings
from servicekit import tracing
from servicekit.database import Database
from servicekit.logs import get_logger

log = get_logger(__name__)

MAX_ANSWER_BYTES = 64 * 1024
ANSWER_BODY_SECONDS = 2.0
"""What is waited for the body of an answer whose status is known; nobody reads it."""
TOKEN_EXPIRY_MARGIN_SECONDS = 30.0
DEFAULT_TOKEN_SECONDS = 300.0


class DeliveryFailed(Exception):
    """A delivery was not accepted. The text is for the log and names no secret."""


class CallbackGone(Exception):
    """The callback was removed or switched off."""


def retry_policy(settings: CoreSettings, row: CallbackUrl) -> RetryPolicy:
    """A callback's own numbers, or the global defaults."""

    def duration(text: str | None, default_ms: int) -> timedelta:
        return timedelta(milliseconds=default_ms) if text is None else parse_duration(text)

    attempts = row.max_attempts
    return RetryPolicy(
        max_attempts=settings.callbacks_default_max_attempts if attempts is None else attempts,
        initial_backoff=duration(row.initial_backoff, settings.callbacks_default_initial_backoff_ms),
        multiplier=settings.callbacks_backoff_multiplier,
        max_backoff=timedelta(milliseconds=settings.callbacks_max_backoff_ms),
        retention=duration(row.retention_period, settings.callbacks_default_retention_period_ms),
        force_rerun=timedelta(milliseconds=settings.callbacks_force_rerun_ms),
    )


@dataclass(slots=True)
class _Token:
    """An access token and the monotonic time until which it is used."""

    value: str = field(repr=False)
    good_until: float


class CallbackClient:
    """Sends to one callback URL the way its configuration says."""

    def __init__(
        self,
        egress: Egress,
        url: str,
        authentication: HttpAuthenticationPrivate,
        tls: ssl.SSLContext | None,
        total_seconds: float,
    ) -> None:
        """
        :param tls: None: the shared client, without a client certificate
        :param total_seconds: bound of one delivery, from asking for a token to the answer's status
        """
        self._total_seconds = total_seconds
        self._egress = egress
        self._url = url
        self._authentication = authentication
        self._own = None if tls is None else egress.client(tls)
        self._token: _Token | None = None
        self._token_turn = asyncio.Lock()

    async def send(self, body: bytes, idempotency_key: str) -> None:
        """POST one event.

        :raises DeliveryFailed: refused address, no connection, no answer in time, or a status outside 2xx
        """
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
        if (trace := tracing.stored()) is not None:
            headers[tracing.HEADER] = trace
        try:
            async with asyncio.timeout(self._total_seconds):
                response = await self._post(body, headers)
        except TimeoutError:
            raise DeliveryFailed("no answer in time") from None
        except EgressRefused as error:
            raise DeliveryFailed(str(error)) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError) as error:
            refused = isinstance(error.__cause__, NoAllowedAddress)
            raise DeliveryFailed(str(error.__cause__) if refused else type(error).__name__) from None
        await _skip_body(response)
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            self._token = None
        if not response.is_success:
            raise DeliveryFailed(f"status {response.status_code}")

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
        """Send once; the answer's head."""
        self._egress.policy.check_url(self._url)
        authorization = await self._authorization()
        http = self._own or self._egress.http
        request = http.build_request("POST", self._url, content=body, headers={**headers, **authorization})
        return await http.send(request, stream=True)

    async def close(self) -> None:
        """Close the connections that only this callback uses."""
        if self._own is not None:
            await self._own.aclose()

    async def _authorization(self) -> dict[str, str]:
        oauth2, basic = self._authentication.oauth2, self._authentication.http_basic
        if oauth2 is not None and oauth2.enabled:
            return {"Authorization": f"Bearer {await self._access_token(oauth2)}"}
        if basic is not None and basic.enabled:
            return _basic(basic.username or "", basic.password or "")
        return {}

    async def _access_token(self, oauth2: OAuth2Authentication) -> str:
        """The current access token; one request fetches it, however many deliveries wait."""
        async with self._token_turn:
            if self._token is None or time.monotonic() >= self._token.good_until:
                self._token = await self._fetch_token(oauth2)
            return self._token.value

    async def _fetch_token(self, oauth2: OAuth2Authentication) -> _Token:
        """Client credentials grant; the client authenticates by HTTP Basic (RFC 6749 §2.3.1, §4.4)."""
        url = oauth2.token_uri or ""
        self._egress.policy.check_url(url)
        form = {"grant_type": "client_credentials"}
        if oauth2.scope:
            form["scope"] = oauth2.scope
        headers = {"Accept": "application/json"}
        headers |= _basic(quote_plus(oauth2.client_id or ""), quote_plus(oauth2.client_secret or ""))
        asked_at = time.monotonic()
        http = self._own or self._egress.http
        async with http.stream("POST", url, data=form, headers=headers) as response:
            if not response.is_success:
                raise DeliveryFailed(f"the token endpoint answered {response.status_code}")
            answer = await _bounded_json(response)
        token = answer.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise DeliveryFailed("the token endpoint gave no access token")
        seconds = answer.get("expires_in")
        life = float(seconds) if isinstance(seconds, int | float) else DEFAULT_TOKEN_SECONDS
        return _Token(token, asked_at + life - TOKEN_EXPIRY_MARGIN_SECONDS)


def _basic(user: str, password: str) -> dict[str, str]:
    request = httpx2.Request("POST", "https://unused", headers={})
    flow = httpx2.BasicAuth(user, password).auth_flow(request)
    return {"Authorization": next(flow).headers["Authorization"]}


async def _skip_body(response: httpx2.Response) -> None:
    """Read a short body, so that the connection can be used again; a long or slow one costs it, no more."""
    received = 0
    try:
        async with asyncio.timeout(ANSWER_BODY_SECONDS):
            async for part in response.aiter_raw():
                received += len(part)
                if received > MAX_ANSWER_BYTES:
                    return
    except (TimeoutError, httpx2.HTTPError) as error:
        log.info("callback's answer broke off after its status", reason=type(error).__name__)
    finally:
        await response.aclose()


async def _bounded_json(response: httpx2.Response) -> Mapping[str, Any]:
    data = bytearray()
    async for part in response.aiter_bytes():
        data += part
        if len(data) > MAX_ANSWER_BYTES:
            raise DeliveryFailed("the token endpoint's answer is too long")
    try:
        answer = httpx2.Response(200, content=bytes(data)).json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise DeliveryFailed("the token endpoint's answer is no JSON object")
    return answer


@dataclass(slots=True)
class _Entry:
    """A callback's client as long as its configuration does not change."""

    client: CallbackClient
    policy: RetryPolicy
    last_updated: datetime | None
    breaker: CircuitBreaker
    recheck_at: float
    uses: int = 0
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """A client in use, and what belongs to it."""

    client: CallbackClient
    policy: RetryPolicy
    breaker: CircuitBreaker


class CallbackClients:
    """The clients of all callbacks of this process, read again from time to time and after changes."""

    def __init__(
        self, settings: CoreSettings, database: Database, cipher: RecordCipher, egress: Egress
    ) -> None:
        self._settings = settings
        self._database = database
        self._cipher = cipher
        self._egress = egress
        self._entries: dict[str, _Entry] = {}
        self._turn = asyncio.Lock()

    def allows(self, callback_id: str) -> bool:
        """Whether the callback's circuit lets a new delivery start."""
        entry = self._entries.get(callback_id)
        return entry is None or entry.breaker.allows(time.monotonic())

    def recheck(self) -> None:
        """Read every callback again before its next delivery; called when any of them changed."""
        for entry in self._entries.values():
            entry.recheck_at = 0.0

    @asynccontextmanager
    async def lease(self, callback_id: str) -> AsyncGenerator[Lease]:
        """The callback's client for one delivery.

        :raises CallbackGone: the callback was removed or switched off
        :raises DeliveryFailed: its configuration cannot be used
        """
        entry = self._current(callback_id)
        if entry is None:
            async with self._turn:
                entry = self._current(callback_id) or await self._refresh(callback_id)
        entry.uses += 1
        try:
            yield Lease(entry.client, entry.policy, entry.breaker)
        finally:
            entry.uses -= 1
            if entry.retired and not entry.uses:
                await entry.client.close()

    async def close(self) -> None:
        """Close all clients."""
        for entry in self._entries.values():
            await entry.client.close()
        self._entries.clear()

    def _current(self, callback_id: str) -> _Entry | None:
        entry = self._entries.get(callback_id)
        return None if entry is None or time.monotonic() >= entry.recheck_at else entry

    async def _refresh(self, callback_id: str) -> _Entry:
        async with self._database.read() as session:
            found = await repository.find(session, callback_id)
        if found is None:
            await self._retire(callback_id)
            raise CallbackGone
        recheck_at = time.monotonic() + self._settings.callbacks_clients_refresh_ms / 1000
        known = self._entries.get(callback_id)
        if known is not None and known.last_updated == found.row.timestamp_last_updated:
            known.recheck_at = recheck_at
            return known
        client = await self._build(found)
        await self._retire(callback_id)
        settings = self._settings
        entry = self._entries[callback_id] = _Entry(
            client=client,
            policy=retry_policy(settings, found.row),
            last_updated=found.row.timestamp_last_updated,
            breaker=CircuitBreaker(
                settings.callbacks_failure_threshold, settings.callbacks_failure_reset_timeout_ms / 1000
            ),
            recheck_at=recheck_at,
        )
        return entry

    async def _retire(self, callback_id: str) -> None:
        old = self._entries.pop(callback_id, None)
        if old is not None:
            old.retired = True
            if not old.uses:
                await old.client.close()

    async def _build(self, found: repository.OwnedCallback) -> CallbackClient:
        try:
            authentication = stored_authentication(self._cipher, found.row, found.application_id)
            certificate = authentication.certificate
            tls = None
            if certificate is not None and certificate.enabled:
                directory = self._settings.callbacks_certificate_directory
                tls = await asyncio.to_thread(tls_context, directory, certificate)
        except (CoreError, CertificateUnusable, ValueError) as error:
            raise DeliveryFailed(f"unusable authentication: {error}") from None
        settings = self._settings
        total = (settings.http_connection_timeout_ms + settings.http_response_timeout_ms) / 1000
        return CallbackClient(self._egress, found.row.callback_url or "", authentication, tls, total)
