"""A real Kubernetes API server over a real etcd, without nodes: it admits and stores, and nothing runs.

Custom resources are known by name only, but for those of the Gateway API. Jobs are said to be done, as a
node would say.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import yaml
from deploy_helm import TOOLS

from powerauth_cli.localservers.programs import free_port

PATIENCE_SECONDS = 180
_PAUSE_SECONDS = 0.2
CUSTOM = {
    ("cert-manager.io", "v1"): ("Certificate", "Issuer"),
    ("monitoring.coreos.com", "v1"): ("ServiceMonitor", "PrometheusRule"),
    ("postgresql.cnpg.io", "v1"): ("Cluster",),
    ("rabbitmq.com", "v1beta1"): ("RabbitmqCluster",),
}
GATEWAY = {"HTTPRoute": "httproutes", "BackendTLSPolicy": "backendtlspolicies"}
"""Kinds that are known with their schemas and rules; their names in a path."""
GATEWAY_API = "/apis/gateway.networking.k8s.io/v1"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE = {"Content-Type": "application/merge-patch+json"}
NODES_ONLY = {"events", "events.events.k8s.io"}


@dataclass(frozen=True)
class Cluster:
    """A running API server.

    :ivar kubeconfig: file with which Helm gets there
    """

    http: httpx2.Client
    kubeconfig: Path

    def get(self, path: str) -> Any:
        """Read something; again where the server says that a kind is too new to it."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (answer := self.http.get(path)).status_code == 429 and time.monotonic() < end:
            time.sleep(_PAUSE_SECONDS)
        return answer.raise_for_status().json()

    def create(self, path: str, resource: Any) -> httpx2.Response:
        """Make something; the answer whatever it is."""
        return self.http.post(path, json=resource)

    def names_in(self, namespace: str) -> set[str]:
        """All that is stored in a namespace, as kind/name."""
        found = set()
        groups = [group["preferredVersion"]["groupVersion"] for group in self.get("/apis")["groups"]]
        for root in ("/api/v1", *(f"/apis/{group}" for group in groups)):
            for kind in self.get(root)["resources"]:
                if kind["namespaced"] and "list" in kind["verbs"] and kind["name"] not in NODES_ONLY:
                    items = self.get(f"{root}/namespaces/{namespace}/{kind['name']}")["items"]
                    found |= {f"{kind['kind']}/{item['metadata']['name']}" for item in items}
        return found


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Start etcd and the API server, and stop them."""
    etcd, peers, port = free_port(), free_port(), free_port()
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f"{token},tests,tests,system:masters\n")
    key = folder / "accounts.key"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    commands = (
        [
            "etcd",
            f"--data-dir={folder}/etcd",
            "--unsafe-no-fsync",
            f"--listen-client-urls=http://127.0.0.1:{etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peers}",
        ],
        [
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={folder}/certificates",
            f"--token-auth-file={folder}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://tests",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
        ],
    )
    with contextlib.ExitStack() as stack:
        for command in commands:
            stack.enter_context(_running(command, folder))
        http = stack.enter_context(
            httpx2.Client(
                base_url=f"https://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {token}"},
                # It has made its certificate by itself, on this machine.
                verify=False,
                timeout=60.0,
            )
        )
        _await_ready(http)
        cluster = Cluster(http, _kubeconfig(folder, port, token))
        _teach_custom_kinds(cluster)
        _teach_gateway_kinds(cluster)
        stack.enter_context(_jobs_are_done(cluster))
        yield cluster


@contextlib.contextmanager
def _running(command: list[str], folder: Path) -> Iterator[None]:
    with (folder / f"{command[0]}.log").open("wb") as log:
        process = subprocess.Popen([TOOLS / command[0], *command[1:]], stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def _kubeconfig(folder: Path, port: int, token: str) -> Path:
    server = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "tests",
        "clusters": [{"name": "tests", "cluster": server}],
        "users": [{"name": "tests", "user": {"token": token}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
    }
    file = folder / "kubeconfig"
    file.write_text(json.dumps(content))
    os.chmod(file, 0o600)
    return file


def _await_ready(http: httpx2.Client) -> None:
    """:raises TimeoutError: it does not get ready"""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(httpx2.TransportError):
            if http.get("/readyz").status_code == 200:
                return
        time.sleep(_PAUSE_SECONDS)
    raise TimeoutError("the API server did not get ready")


def _teach_custom_kinds(cluster: Cluster) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    for (group, version), kinds in CUSTOM.items():
        for kind in kinds:
            plural = kind.lower() + "s"
            definition = {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural}.{group}"},
                "spec": {
                    "group": group,
                    "scope": "Namespaced",
                    "names": {"kind": kind, "plural": plural},
                    "versions": [
                        {
                            "name": version,
                            "served": True,
                            "storage": True,
                            "schema": {"openAPIV3Schema": schema},
                        }
                    ],
                },
            }
            cluster.create(_DEFINITIONS, definition).raise_for_status()
        _await_kind(cluster, f"/apis/{group}/{version}")


def _teach_gateway_kinds(cluster: Cluster) -> None:
    for plural in GATEWAY.values():
        file = TOOLS / "gateway-api" / f"gateway.networking.k8s.io_{plural}.yaml"
        definition = yaml.load(file.read_text(), yaml.CSafeLoader)
        cluster.create(_DEFINITIONS, definition).raise_for_status()
        _await_kind(cluster, f"{GATEWAY_API}/{plural}")


def _await_kind(cluster: Cluster, path: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while cluster.http.get(path).status_code != 200 and time.monotonic() < end:
        time.sleep(_PAUSE_SECONDS)


@contextlib.contextmanager
def _jobs_are_done(cluster: Cluster) -> Iterator[None]:
    """Say of every Job that it has succeeded, until the end."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(_PAUSE_SECONDS):
            for job in cluster.get("/apis/batch/v1/jobs")["items"]:
                if "status" not in job or not job["status"].get("succeeded"):
                    _say_done(cluster, job["metadata"])

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _say_done(cluster: Cluster, metadata: Any) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now}
        for kind in ("SuccessCriteriaMet", "Complete")
    ]
    status = {"succeeded": 1, "startTime": now, "completionTime": now, "conditions": conditions}
    path = f"/apis/batch/v1/namespaces/{metadata['namespace']}/jobs/{metadata['name']}/status"
    cluster.http.patch(path, json={"status": status}, headers=MERGE)
