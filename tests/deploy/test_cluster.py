"""The chart at a real API server: installed, admitted by the restricted profile, upgraded, removed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy_chart import CHART, VALUES, golden, of_kind, pod_templates
from deploy_cluster import GATEWAY, GATEWAY_API, Cluster, running_cluster
from deploy_helm import run_tool

pytestmark = pytest.mark.cluster
NAMESPACE = "powerauth"
MADE_BY_THE_CLUSTER = {"ConfigMap/kube-root-ca.crt", "ServiceAccount/default"}
KEYS = {f"Secret/pa-powerauth-{name}" for name in ("core", "enrollment", "cloud", "push", "administrator")}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API server with a namespace that only takes restricted pods."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
        namespace = {"metadata": {"name": NAMESPACE, "labels": labels}}
        running.create("/api/v1/namespaces", namespace).raise_for_status()
        yield running


def helm(cluster: Cluster, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command of Helm in the namespace."""
    done = run_tool("helm", *arguments, "-n", NAMESPACE, "--kubeconfig", cluster.kubeconfig)
    assert done.returncode == 0, done.stderr
    return done


def secrets_of(cluster: Cluster) -> dict[str, Any]:
    """What the chart's own Secrets hold, by name."""
    items = cluster.get(f"/api/v1/namespaces/{NAMESPACE}/secrets")["items"]
    return {item["metadata"]["name"]: item["data"] for item in items if item["type"] == "Opaque"}


@pytest.mark.parametrize("name", ["minimal", "operators"])
def test_it_is_installed_upgraded_and_removed(cluster: Cluster, name: str, tmp_path: Path) -> None:
    values = ("-f", VALUES / f"{name}.yaml")
    installed = helm(cluster, "install", "pa", CHART, *values)
    assert "would violate PodSecurity" not in installed.stderr
    made = secrets_of(cluster)
    assert {f"Secret/{secret}" for secret in made} == KEYS
    there = cluster.names_in(NAMESPACE)
    assert not [one for one in there if "migrate" in one and name == "minimal"], "hooks are gone afterwards"

    # What a later release wants beside it is made, what is there stays, what somebody has added too.
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets/pa-powerauth-cloud"
    change = {"data": {"core-password": None, "added": "YQ=="}}
    headers = {"Content-Type": "application/merge-patch+json"}
    cluster.http.patch(path, json=change, headers=headers).raise_for_status()
    helm(cluster, "upgrade", "pa", CHART, *values, "--set", "workload.replicas=3")
    upgraded = secrets_of(cluster)
    renewed = upgraded["pa-powerauth-cloud"].pop("core-password")
    assert renewed != made["pa-powerauth-cloud"].pop("core-password")
    assert upgraded["pa-powerauth-cloud"]["added"] == "YQ=="
    made["pa-powerauth-cloud"]["added"] = "YQ=="
    assert upgraded == made
    deployment = cluster.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/pa-powerauth-core")
    assert deployment["spec"]["replicas"] == 3

    helm(cluster, "uninstall", "pa")
    assert cluster.names_in(NAMESPACE) - MADE_BY_THE_CLUSTER == KEYS


@pytest.mark.parametrize("name", ["minimal", "bank", "gateway", "mesh"])
def test_every_pod_is_admitted_by_the_restricted_profile(cluster: Cluster, name: str) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}"
    for pod, _, spec in pod_templates(golden(name)):
        account = {"metadata": {"name": spec["serviceAccountName"]}}
        assert cluster.create(f"{path}/serviceaccounts", account).status_code in {201, 409}
        # The class of the bank is not in this cluster.
        here = {key: value for key, value in spec.items() if key != "priorityClassName"}
        answer = cluster.create(f"{path}/pods?dryRun=All", {"metadata": {"name": pod}, "spec": here})
        assert answer.status_code == 201, answer.text
        loose = {**here, "securityContext": {}, "containers": [{"name": "a", "image": "b"}]}
        answer = cluster.create(f"{path}/pods?dryRun=All", {"metadata": {"name": pod}, "spec": loose})
        assert (answer.status_code, "restricted" in answer.text) == (403, True)


def test_the_gateway_api_takes_what_is_its_own(cluster: Cluster) -> None:
    own = of_kind(golden("gateway"), *GATEWAY)
    assert {one["kind"] for one in own} == set(GATEWAY)
    for one in own:
        path = f"{GATEWAY_API}/namespaces/{NAMESPACE}/{GATEWAY[one['kind']]}"
        path += "?dryRun=All&fieldValidation=Strict"
        answer = cluster.create(path, one)
        assert answer.status_code == 201, answer.text
        assert cluster.create(path, {**one, "spec": {**one["spec"], "more": 1}}).status_code == 400
