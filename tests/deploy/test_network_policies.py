"""The trust split holds in the network: every pair of ends, through the policies of every value set."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from deploy_chart import golden, of_kind, pod_templates
from deploy_network import Host, is_allowed

PORTS = (
    *(53, 443, 3128, 4318, 4369, 5432, 5433, 5671, 5672, 6379, 6380, 6432, 6514, 8000, 8080, 8081, 9090),
    *(15671, 25672),
)
"""All that a chart of ours has to do with; on every other port nothing may happen either."""
NOBODY = 31_337
CLUSTER = "10.244.0."

Table = set[tuple[str, str, int]]


def pod(name: str, namespace: str, **labels: str) -> Host:
    """A pod of somebody else."""
    return Host(name, CLUSTER + str(200 + len(name)), namespace, labels)


def outside(name: str, address: str) -> Host:
    """A host outside the cluster."""
    return Host(name, address)


DNS = pod("dns", "kube-system", **{"k8s-app": "kube-dns"})
EVERYWHERE = (
    DNS,
    pod("neighbour", "powerauth", app="something-else"),
    # Looks like one of ours, in another namespace.
    pod(
        "stranger",
        "default",
        **{
            "app.kubernetes.io/name": "powerauth",
            "app.kubernetes.io/instance": "pa",
            "app.kubernetes.io/component": "cloud",
            "powerauth/database": "core",
        },
    ),
    outside("internet", "203.0.113.9"),
    outside("metadata", "169.254.169.254"),
)

# Between the pods of a release, with push and without.
WITHOUT_PUSH: Table = {
    ("enrollment", "core", 8081),
    ("cloud", "core", 8080),
    ("test", "enrollment", 8080),
    ("test", "cloud", 8080),
}
WITH_PUSH: Table = WITHOUT_PUSH | {
    ("push", "core", 8080),
    ("enrollment", "push", 8080),
    ("cloud", "push", 8080),
}
SERVICES = ("core", "cloud", "push")


def databases(port: int, *, of: tuple[str, ...] = SERVICES, migrations: int | None = None) -> Table:
    """Every database to its service and its Jobs; migrations perhaps to the server past the pooler."""
    table = {(who, f"{one}-db", port) for one in of for who in (one, f"accounts-{one}")}
    if migrations is None:
        return table | {(f"migrate-{one}", f"{one}-db", port) for one in of}
    return table | {(f"migrate-{one}", "server", migrations) for one in of}


def broker(of: tuple[str, ...] = SERVICES) -> Table:
    """The broker to those with events."""
    return {(one, "broker", 5671) for one in of}


MINIMAL = (
    *(outside(f"{one}-db", f"10.1.0.{10 + number}") for number, one in enumerate(SERVICES)),
    outside("broker", "10.1.0.20"),
)
BANK = (
    *(pod(f"{one}-db", "databases", app=f"{one}-pooler") for one in SERVICES),
    pod("server", "databases", app="postgresql"),
    pod("standby", "databases", app="standby"),
    pod("broker", "broker"),
    pod("redis", "dmz", app="redis"),
    pod("ingress", "ingress", app="ingress"),
    pod("beside the ingress", "ingress", app="other"),
    pod("bank", "bank"),
    pod("prometheus", "monitoring"),
    pod("collector", "tracing"),
    outside("proxy", "10.9.0.1"),
    outside("receiver", "10.9.0.2"),
    outside("system", "10.30.1.1"),
    outside("no system", "10.30.9.1"),
)
OPERATORS = (
    *(pod(f"{one}-db", "powerauth", **{"cnpg.io/cluster": f"pa-powerauth-{one}-db"}) for one in SERVICES),
    pod("broker", "powerauth", **{"app.kubernetes.io/name": "pa-powerauth-broker"}),
    pod("postgres operator", "cnpg-system"),
    pod("rabbit operator", "rabbitmq-system"),
)
GATEWAY = (outside("core-db", "10.1.0.10"), outside("broker", "10.1.0.20"), pod("gateway", "gateways"))

EXPECTED: dict[str, tuple[tuple[Host, ...], Table]] = {
    "minimal": (MINIMAL, WITH_PUSH | databases(5432) | broker()),
    "bank": (
        BANK,
        WITH_PUSH
        | databases(6432, migrations=5432)
        | broker()
        | {("enrollment", "redis", 6380), ("ingress", "enrollment", 8080), ("bank", "cloud", 8080)}
        | {("system", "core", 8080), ("core", "proxy", 3128), ("push", "proxy", 3128)}
        | {(f"tools-{one}", f"{one}-db", 6432) for one in SERVICES}
        | {("core", "standby", 5433), ("core", "receiver", 6514), ("cloud", "receiver", 6514)}
        | {("prometheus", one, 9090) for one in (*SERVICES, "enrollment")}
        | {(one, "collector", 4318) for one in (*SERVICES, "enrollment")},
    ),
    "operators": (
        OPERATORS,
        WITH_PUSH
        | databases(5432)
        | broker()
        | {(one, "internet", 443) for one in ("core", "push")}
        | {("postgres operator", f"{one}-db", port) for one in SERVICES for port in (5432, 8000)}
        | {("rabbit operator", "broker", 15671)},
    ),
    "gateway": (
        GATEWAY,
        WITHOUT_PUSH
        | {
            (f"{kind}-{one}", "core-db", 5432)
            for kind in ("migrate", "accounts")
            for one in ("core", "cloud")
        }
        | {("core", "core-db", 5432), ("cloud", "core-db", 5432), ("gateway", "enrollment", 8080)}
        | broker(("core", "cloud")),
    ),
}


def own_pods(name: str) -> list[Host]:
    """One pod of each kind, by what it is for."""
    numbers = count(1)
    found = []
    for _, metadata, _ in pod_templates(golden(name)):
        labels = metadata["labels"]
        database = labels.get("powerauth/database")
        role = labels["app.kubernetes.io/component"] + (f"-{database}" if database else "")
        found.append(Host(role, CLUSTER + str(next(numbers)), "powerauth", labels))
    return found


def policies_of(name: str) -> list[Any]:
    """The NetworkPolicies of a value set."""
    return of_kind(golden(name), "NetworkPolicy")


@pytest.mark.parametrize("name", EXPECTED)
def test_who_may_connect_to_whom(name: str) -> None:
    others, expected = EXPECTED[name]
    own, policies = own_pods(name), policies_of(name)
    guarded = [*own, *(one for one in others if name == "operators" and one.namespace == "powerauth")]
    ends = [*own, *others, *EVERYWHERE]
    everybody = expected | {(one.name, "dns", 53) for one in own}
    found = {
        (source.name, target.name, port)
        for source in ends
        for target in ends
        if source is not target and (source in own or target in guarded)
        for port in (*PORTS, NOBODY)
        if is_allowed(policies, source, target, port)
    }
    assert found == everybody


def test_a_release_without_policies_has_none() -> None:
    assert policies_of("mesh") == []


def test_servers_of_one_cluster_talk_to_each_other_alone() -> None:
    policies, servers = policies_of("operators"), {one.name: one for one in OPERATORS}
    for name, port in (("core-db", 5432), ("core-db", 8000), ("broker", 4369), ("broker", 25672)):
        one = servers[name]
        twin = Host("twin", CLUSTER + "99", one.namespace, one.labels)
        assert is_allowed(policies, twin, one, port)
        assert not is_allowed(policies, servers["cloud-db"], one, port)


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ({}, True),
        ({"ports": [{"port": 8080}]}, True),
        ({"ports": [{"port": 8080, "protocol": "UDP"}]}, False),
        ({"from": [{"podSelector": {}}]}, False),
        ({"from": [{"namespaceSelector": {}}]}, True),
        ({"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"a": "c"}}}]}, False),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}, True),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/30"]}}]}, False),
        (
            {
                "from": [
                    {
                        "namespaceSelector": {},
                        "podSelector": {
                            "matchExpressions": [
                                {"key": "a", "operator": "In", "values": ["b"]},
                                {"key": "x", "operator": "DoesNotExist"},
                            ]
                        },
                    }
                ]
            },
            True,
        ),
    ],
)
def test_the_evaluator_reads_policies_as_kubernetes_does(rule: dict[str, Any], allowed: bool) -> None:
    source, target = Host("source", "10.0.0.1", "there", {"a": "b"}), Host("target", "10.0.0.9", "here")
    policy = {
        "metadata": {"namespace": "here"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [rule]},
    }
    assert is_allowed([policy], source, target, 8080) == allowed
    closed = {**policy, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}
    assert not is_allowed([closed], source, target, 8080)
    assert is_allowed([closed], target, source, 8080)
