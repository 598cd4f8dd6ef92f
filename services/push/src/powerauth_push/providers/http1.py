"""HTTP/1.1, for token endpoints, which are not worth a lasting connection, and for Huawei."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import httpx2

from powerauth_push.providers.http2.connection import MAX_ANSWER_BYTES
from powerauth_push.providers.http2.exchange import Answer, Overdue, Unanswered, Unsent
from powerauth_push.providers.network import Route, plain_tls

# What these libraries tell of their work holds addresses and headers.
for _library in ("httpx2", "httpcore2"):
    logging.getLogger(_library).setLevel(logging.WARNING)

_NEVER_LEFT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)


class Http1Client:
    """Requests over a bounded number of connections, without redirects, cookies and the environment."""

    def __init__(self, route: Route) -> None:
        self._seconds = route.send_seconds
        proxy = route.proxy
        self._http = httpx2.AsyncClient(
            verify=plain_tls(route.ca_file),
            trust_env=False,
            timeout=httpx2.Timeout(route.send_seconds, connect=route.connect_seconds),
            limits=httpx2.Limits(
                max_connections=route.streams, max_keepalive_connections=route.streams, keepalive_expiry=30
            ),
            proxy=None
            if proxy is None
            else httpx2.Proxy(
                f"http://{proxy.host}:{proxy.port}",
                auth=(proxy.username, proxy.password) if proxy.username else None,
            ),
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request; ends after the route's `send_seconds` at the latest.

        :raises Unsent: no connection; it was not worked on
        :raises Unanswered: whether it was worked on is not known
        """
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(url, headers, body)
        except TimeoutError:
            raise Overdue("no answer in time") from None
        except _NEVER_LEFT as error:
            raise Unsent(type(error).__name__) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unanswered(type(error).__name__) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        async with self._http.stream("POST", url, headers=dict(headers), content=body) as response:
            pieces, size = [], 0
            async for piece in response.aiter_bytes():
                pieces.append(piece)
                size += len(piece)
                if size > MAX_ANSWER_BYTES:
                    raise Unanswered("answer too large")
            named = [(name.lower(), value) for name, value in response.headers.raw]
            return Answer(response.status_code, named, b"".join(pieces))
