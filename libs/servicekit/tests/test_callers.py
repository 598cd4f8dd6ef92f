"""The client's address only through trusted proxies (spec/enrollment-api.md §10.9)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.callers import LOOPBACK, TrustedProxies, limited_network

PROXIES = TrustedProxies(("10.0.0.0/8", "fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.5", [], "203.0.113.5"),
        ("203.0.113.5", ["1.2.3.4"], "203.0.113.5"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4, 10.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4:5555"], "1.2.3.4"),
        ("10.0.0.1", ['"[2001:db8::1]:443"'], "2001:db8::1"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        (None, ["1.2.3.4"], None),
    ],
)
def test_address_is_the_right_most_untrusted_hop(
    peer: str | None, forwarded: list[str], expected: str | None
) -> None:
    assert PROXIES.client_address(peer, forwarded) == expected


def test_a_client_cannot_choose_its_address_by_prepending_hops() -> None:
    assert PROXIES.client_address("10.0.0.1", ["10.9.9.9, 127.0.0.1, 203.0.113.5"]) == "203.0.113.5"


def test_without_trusted_proxies_the_header_is_ignored() -> None:
    assert TrustedProxies(()).client_address("10.0.0.1", ["1.2.3.4"]) == "10.0.0.1"


def test_an_unreadable_network_is_refused_at_start() -> None:
    with pytest.raises(ValueError, match="no list of networks") as refused:
        TrustedProxies(("not-a-network",))
    assert "not-a-network" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2ff:3:4:5:6", "2001:db8:1:200::/56"),
        ("2001:db8:1:200::9", "2001:db8:1:200::/56"),
        ("fe80::1%eth0", "fe80::/56"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("127.8.0.1", LOOPBACK),
        ("::1", LOOPBACK),
        (None, "unknown"),
        ("nonsense", "unknown"),
    ],
)
def test_limits_count_an_ipv6_site_as_one(address: str | None, network: str) -> None:
    assert limited_network(address) == network


@given(st.lists(st.text(max_size=60), max_size=5))
def test_any_forwarded_header_gives_an_address(forwarded: list[str]) -> None:
    assert PROXIES.client_address("10.0.0.1", forwarded)
