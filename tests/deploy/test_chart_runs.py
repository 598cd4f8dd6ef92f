"""What the chart renders does its job: its Jobs and services run here on real servers, `helm test` passes."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from deploy_chart import VALUES, of_kind
from deploy_helm import template
from deploy_pods import Node, ready

from powerauth_cli.separate import new_database
from servicekit.authority import THIS_MACHINE, Authority

pytestmark = pytest.mark.deploy


def certificates(authority: Authority) -> dict[str, dict[str, str]]:
    """What cert-manager would make, a Secret for each service: for its name there, and this machine."""
    found = {}
    for service in ("core", "enrollment", "cloud", "push"):
        files = authority.issue(service, (f"pa-powerauth-{service}.powerauth.svc", *THIS_MACHINE))
        held = {"tls.crt": files.certificate, "tls.key": files.key, "ca.crt": authority.ca_file}
        found[f"pa-powerauth-{service}-tls"] = {
            key: file.read_text() for key, file in held.items() if file is not None
        }
    return found


@pytest.mark.parametrize("name", ["mesh", "minimal"])
async def test_an_installation_activates_and_approves(tmp_path: Path, name: str) -> None:
    done = template("-f", VALUES / f"{name}.yaml", "--set", "tests.enabled=true,tools.enabled=true")
    assert done.returncode == 0, done.stderr
    resources = tuple(one for one in yaml.safe_load_all(done.stdout) if one)
    given = {"broker": {"url": os.environ["TEST_RABBITMQ_URL"]}}
    for service in ("core", "cloud", "push"):
        url = await new_database(os.environ["TEST_POSTGRES_URL"], f"chart_{service}_{uuid4().hex}")
        given[f"{service}-database"] = {"url": url.replace("+asyncpg", "")}
    authority = Authority(tmp_path)
    trust = authority.trusting() if of_kind(resources, "Certificate") else None
    node = Node(resources, given | certificates(authority), tmp_path)
    jobs = {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in of_kind(resources, "Job")}
    for job in (job for job in jobs if "migrate" in job):
        assert "The schema is current" in await node.run(job, jobs[job])
    pods = {
        one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in of_kind(resources, "Deployment")
    }
    tools = {pod.rpartition("-")[2]: pods.pop(pod) for pod in [*pods] if "-tools-" in pod}
    async with contextlib.AsyncExitStack() as serving:
        ports = [await serving.enter_async_context(node.serving(pod, pods[pod])) for pod in pods]
        for job in (job for job in jobs if "accounts" in job):
            await node.run(job, jobs[job])
        for port in ports:
            await ready(port, trust)
        (test,) = of_kind(resources, "Pod")
        said = json.loads(await node.run("test", test["spec"]))
        for database in ("core", "cloud", "push"):
            told = await node.run(f"tools-{database}", tools[database], "db", "check", database)
            assert "The schema is current" in told
    assert said["status"] == "APPROVED"
