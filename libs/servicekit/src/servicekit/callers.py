"""Who a request comes from: the client's address, the part of it that a rate limit counts, and what an
``Authorization`` header holds, HTTP Basic credentials or a bearer token (spec/core-api.md §1.1,
spec/cloud-api.md §1.3).

`X-Forwarded-For` is believed only as far as the configured proxies wrote it: spec/enrollment-api.md §10.9.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_HOPS_READ = 32
_IPV6_SITE_PREFIX = 56
_REMEMBERED = 16_384

LOOPBACK = "loopback"
"""What all addresses of this machine are to a limit."""


class TrustedProxies:
    """The networks whose `X-Forwarded-For` entries are believed."""

    def __init__(self, networks: Sequence[str]) -> None:
        """
        :param networks: CIDR texts or single addresses
        :raises ValueError: one is none; the text does not repeat it
        """
        try:
            self._networks = tuple(ip_network(network, strict=False) for network in networks)
        except ValueError:
            raise ValueError("is no list of networks, separated by commas") from None

    def client_address(self, peer: str | None, forwarded_for: Sequence[str]) -> str | None:
        """Return the address of the client, as text.

        :param peer: the socket's remote address, or None when unknown.
        :param forwarded_for: the values of all `X-Forwarded-For` lines, in order of arrival.
        """
        if peer is None or not self._networks or not self._trusts(peer):
            return peer
        hops = [hop.strip() for value in forwarded_for for hop in value.split(",")]
        client = peer
        for hop in reversed(hops[-_HOPS_READ:]):
            address = _parse(hop)
            if address is None:
                return client
            client = str(address)
            if not self._trusts(client):
                return client
        return client

    def _trusts(self, text: str) -> bool:
        address = _parse(text)
        return address is not None and any(address in network for network in self._networks)


@lru_cache(_REMEMBERED)
def limited_network(address: str | None) -> str:
    """Return what a rate limit per address counts: one IPv4 address, or the /56 of an IPv6 address (D18).

    A single customer commonly holds a whole /56, so counting single IPv6 addresses would limit nobody.
    """
    parsed = _parse(address or "")
    if parsed is None:
        return "unknown"
    if parsed.is_loopback:
        return LOOPBACK
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, _IPV6_SITE_PREFIX), strict=False))
    return str(parsed)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    host = text.strip().strip('"')
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def parse_basic(header: str | None) -> tuple[str, str] | None:
    """User and password of an ``Authorization`` header; ``None`` without readable Basic credentials.

    The text is UTF-8 and is split at the first colon. A credential with NUL is unreadable: no store could
    hold it.
    """
    if header is None:
        return None
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    if not colon or "\x00" in text:
        return None
    return user, password


def parse_bearer(header: str | None) -> str | None:
    """Token of an ``Authorization`` header, empty if only the scheme stands there; ``None`` without that."""
    scheme, space, token = (header or "").partition(" ")
    return token.strip() if space and scheme.lower() == "bearer" else None


def basic_header(user: str, password: str) -> str:
    """The value of an ``Authorization`` header carrying these credentials."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
