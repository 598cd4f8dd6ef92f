"""Who may connect to whom, by NetworkPolicies (networking.k8s.io/v1) in a network that obeys them.

A connection needs leave twice: of the policies that select its source, and of those that select its target. A
pod that no policy selects for a direction is free in it. What this cannot judge is refused, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

NAMESPACE_NAME = "kubernetes.io/metadata.name"
_OPERATORS = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, values: value is not None,
    "DoesNotExist": lambda value, values: value is None,
}


@dataclass(frozen=True)
class Host:
    """An end of connections.

    :ivar namespace: of a pod; None: a host outside the cluster
    """

    name: str
    address: str
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def is_allowed(policies: Sequence[Mapping[str, Any]], source: Host, target: Host, port: int) -> bool:
    """Whether a TCP connection comes about."""
    out = _permits(policies, "egress", source, target, port)
    return out and _permits(policies, "ingress", target, source, port)


def _permits(
    policies: Iterable[Mapping[str, Any]], direction: str, subject: Host, other: Host, port: int
) -> bool:
    """Whether the policies that select the subject let it connect, or be connected to."""
    selecting = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == subject.namespace
        and direction.capitalize() in policy["spec"]["policyTypes"]
        and _matches(policy["spec"]["podSelector"], subject.labels)
    ]
    return not selecting or any(
        _has_port(rule, port) and _has_peer(rule, direction, other, str(subject.namespace))
        for spec in selecting
        for rule in spec.get(direction) or ()
    )


def _has_port(rule: Mapping[str, Any], port: int) -> bool:
    _known(rule, "from", "to", "ports")
    for one in rule.get("ports") or ():
        _known(one, "port", "protocol")
        assert isinstance(one["port"], int), "named ports are not judged"
    listed = [one["port"] for one in rule.get("ports") or () if one.get("protocol", "TCP") == "TCP"]
    return not rule.get("ports") or port in listed


def _has_peer(rule: Mapping[str, Any], direction: str, other: Host, namespace: str) -> bool:
    peers = rule.get("from" if direction == "ingress" else "to")
    return not peers or any(_is_peer(peer, other, namespace) for peer in peers)


def _is_peer(peer: Mapping[str, Any], other: Host, namespace: str) -> bool:
    """An address block may also hold pods; a selector holds pods alone."""
    _known(peer, "ipBlock", "namespaceSelector", "podSelector")
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        inside = ip_address(other.address) in ip_network(block["cidr"])
        return inside and not any(
            ip_address(other.address) in ip_network(one) for one in block.get("except", ())
        )
    if other.namespace is None:
        return False
    if "namespaceSelector" in peer:
        there = _matches(peer["namespaceSelector"], {NAMESPACE_NAME: other.namespace})
    else:
        there = other.namespace == namespace
    return there and _matches(peer.get("podSelector") or {}, other.labels)


def _matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """An empty selector matches everything."""
    _known(selector, "matchLabels", "matchExpressions")
    by_label = all(labels.get(name) == value for name, value in (selector.get("matchLabels") or {}).items())
    return by_label and all(
        _OPERATORS[one["operator"]](labels.get(one["key"]), one.get("values", ()))
        for one in selector.get("matchExpressions") or ()
    )


def _known(part: Mapping[str, Any], *names: str) -> None:
    assert set(part) <= set(names), f"{set(part) - set(names)} is not judged"
