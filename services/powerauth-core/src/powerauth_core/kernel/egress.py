"""Outgoing HTTP: to which addresses the core may connect, and through which client.

Callback, OIDC and provider URLs are configuration written by administrators of many applications; none of
them may make the core reach its own machine, the platform's metadata service or the network behind it
(design §2). The name is resolved here and the connection goes to the address that was judged, so an answer
that changes between the check and the connect gains nothing.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property, partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import quote

from powerauth_core.settings import EgressSettings
from servicekit import units
from servicekit.loading import without

with without("h2"):  # HTTP/2, which the core speaks with nobody
    import httpcore2
    import httpx2

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SCHEMES = frozenset({"http", "https"})
# The library logs every URL it calls, and what administrators put into a URL may be a secret.
logging.getLogger("httpx2").setLevel(logging.WARNING)

LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

_NAT64 = IPv6Network("64:ff9b::/96")
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?")
_LOCAL_NAME = re.compile(r"(?:.*\.)?localhost\.?", re.IGNORECASE)
_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_MAX_PORT = 65_535
_MAX_CONNECTIONS = 100
_MAX_KEEPALIVE = 20
_RESOLVERS = ThreadPoolExecutor(_MAX_CONNECTIONS, thread_name_prefix="resolve")
"""A name server that hangs keeps a thread as long as a delivery is tried; nothing else may wait for these."""


class EgressRefused(Exception):
    """A URL or the address behind it may not be called. The text holds no secret."""


class AddressRefused(EgressRefused):
    """The URL is one, but its address is not for this core to call."""

    def __init__(self) -> None:
        super().__init__(
            "the address is neither public nor in CORE_EGRESS_ALLOWED_NETWORKS"
            " (this machine: CORE_EGRESS_LOOPBACK_ALLOWED)"
        )


class NoAllowedAddress(httpcore2.ConnectError):
    """A name leads only to addresses that are not for this core to call."""


class AddressPolicy:
    """Public addresses are allowed, private and loopback ones only in the configured networks."""

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._allowed = tuple(allowed)

    def allows(self, address: Address) -> bool:
        """Whether the core may connect to the address. Link-local, multicast and unspecified never."""
        plain = _embedded(address)
        if plain.is_link_local or plain.is_multicast or plain.is_unspecified:
            return False
        if any(plain in network for network in self._allowed):
            return True
        return plain.is_global

    def check_url(self, url: str) -> None:
        """Refuse a URL that could never be called.

        :raises AddressRefused: the address in it, or that of a local name, is not allowed
        :raises EgressRefused: not an absolute http(s) URL, or with credentials in it
        """
        try:
            parsed = httpx2.URL(url)
            host, port = parsed.raw_host.decode("ascii"), parsed.port
        except (httpx2.InvalidURL, ValueError):
            raise EgressRefused("not a URL") from None
        if parsed.scheme not in SCHEMES or not host:
            raise EgressRefused("not an absolute http or https URL")
        if port is not None and not 0 < port <= _MAX_PORT:
            raise EgressRefused("not a port")
        if parsed.userinfo:
            raise EgressRefused("credentials inside a URL")
        known = _known_addresses(host)
        if not known and not _NAME.fullmatch(host):
            raise EgressRefused("not a host name")
        if known and not any(map(self.allows, known)):
            raise AddressRefused


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects only to addresses that the policy allows."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 the interface's own
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve, judge, connect to the first address that answers.

        :raises httpcore2.ConnectError: no address, none allowed, or none answers
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._connect(host, port, timeout, local_address, socket_options)
        except TimeoutError:
            raise httpcore2.ConnectTimeout("connect timed out") from None

    async def _connect(
        self,
        host: str,
        port: int,
        timeout: float | None,  # noqa: ASYNC109 passed on
        local_address: str | None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception = NoAllowedAddress(str(AddressRefused()))
        options = list(socket_options or ())
        for address in await _resolve(host, port):
            if not self._policy.allows(address):
                continue
            try:
                return await self._inner.connect_tcp(str(address), port, timeout, local_address, options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Part of the interface."""
        await asyncio.sleep(seconds)


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """An HTTP transport whose connections go through `GuardedBackend`."""

    def __init__(self, policy: AddressPolicy, tls: ssl.SSLContext, limits: httpx2.Limits) -> None:
        super().__init__(verify=tls, trust_env=False, limits=limits)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=GuardedBackend(policy),
        )


class Egress:
    """Makes HTTP clients that keep to the address policy, or go through the configured proxy.

    Behind a proxy only addresses written in the URL are judged here: the proxy resolves names and has its own
    rules.
    """

    def __init__(self, settings: EgressSettings) -> None:
        loopback = LOOPBACK if settings.egress_loopback_allowed else ()
        self.policy = AddressPolicy((*settings.egress_allowed_networks, *loopback))
        self._proxy = _proxy(settings)
        self._timeout = httpx2.Timeout(
            settings.http_response_timeout_ms / 1000, connect=settings.http_connection_timeout_ms / 1000
        )
        self._limits = httpx2.Limits(
            max_connections=_MAX_CONNECTIONS,
            max_keepalive_connections=_MAX_KEEPALIVE,
            keepalive_expiry=settings.http_connection_max_idle_ms / 1000,
        )

    @cached_property
    def http(self) -> httpx2.AsyncClient:
        """The client for everything that needs no client certificate and no trust anchors of its own."""
        return self.client()

    def client(
        self, tls: ssl.SSLContext | None = None, timeout: httpx2.Timeout | None = None
    ) -> httpx2.AsyncClient:
        """A client of its own; the caller closes it. Redirects are not followed, the environment is ignored.

        Cookies are not kept: calls for all applications share clients.


        :param tls: for a client certificate or other trust anchors
        :param timeout: instead of the configured time-outs
        """
        context = tls or _default_tls()
        if self._proxy is None:
            transport: httpx2.AsyncBaseTransport = GuardedTransport(self.policy, context, self._limits)
        else:
            transport = httpx2.AsyncHTTPTransport(
                verify=context, trust_env=False, limits=self._limits, proxy=self._proxy
            )
        return httpx2.AsyncClient(
            transport=transport,
            timeout=timeout or self._timeout,
            trust_env=False,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            event_hooks={"request": [_note_call]},
        )

    async def close(self) -> None:
        """Close the shared client ``http`` if it was used."""
        if "http" in self.__dict__:
            await self.http.aclose()


async def _note_call(_request: httpx2.Request) -> None:
    units.spent()


@cache
def _default_tls() -> ssl.SSLContext:
    """The platform's trust anchors, read once a process: that costs tens of milliseconds."""
    return ssl.create_default_context()


def _proxy(settings: EgressSettings) -> httpx2.Proxy | None:
    if not settings.http_proxy_enabled:
        return None
    auth = None
    if settings.http_proxy_username:
        auth = (settings.http_proxy_username, settings.http_proxy_password.get_secret_value())
    return httpx2.Proxy(f"http://{quote(settings.http_proxy_host)}:{settings.http_proxy_port}", auth=auth)


async def _resolve(host: str, port: int) -> list[Address]:
    literal = _literal(host)
    if literal is not None:
        return [literal]
    loop = asyncio.get_running_loop()
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        found = await loop.run_in_executor(_RESOLVERS, ask)
    except (OSError, UnicodeError) as error:  # the second: labels that no name server is asked for
        raise httpcore2.ConnectError(f"the name does not resolve: {type(error).__name__}") from error
    # A scope id would only belong to a link-local address.
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _literal(host: str) -> Address | None:
    """The address that is written as a host, also in the older forms (``127.1``, ``2130706433``)."""
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        pass
    if not _NUMERIC.fullmatch(host):
        return None
    try:
        return IPv4Address(socket.inet_aton(host.removesuffix(".")))
    except OSError:
        return None


def _known_addresses(host: str) -> tuple[Address, ...]:
    """The addresses of a host that needs no look-up: one that is written, or a name of this machine."""
    literal = _literal(host)
    if literal is not None:
        return (literal,)
    if _LOCAL_NAME.fullmatch(host):
        return (IPv4Address("127.0.0.1"), IPv6Address("::1"))
    return ()


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 form of it leads to, else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
